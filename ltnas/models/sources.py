"""The edges that leave one state of a supernet's cell, with the candidate operations they hold."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.models.stacked import Convolutions, Pool, Reduce
from ltnas.space.layout import edges

Mask = tuple[tuple[bool, ...], ...]
"""Which candidate operations exist, [edges][operations]; the others are neither built nor run."""
Terms = list[tuple[int, Tensor, Tensor | None]]
"""Terms of the sums at nodes: the node, [B, C, H, W], and a weight that is still to be applied."""


class Source(nn.Module):
    """All edges that leave a state.

    Args:
        state: its number in the cell; 0 and 1 are the cell's inputs.
        nodes: intermediate nodes of the cell.
        operations: candidate operations, in the order of the mixing weights' columns.
        mask: which of them an edge has.
        channels: of the state.
        stride: of the edges.
    """

    def __init__(
        self,
        state: int,
        nodes: int,
        operations: list[str],
        mask: Mask,
        channels: int,
        stride: int,
    ) -> None:
        super().__init__()
        self.state, self.channels, self.stride = state, channels, stride
        leaving = [
            (row, node) for row, (node, source) in enumerate(edges(nodes)) if source == state
        ]
        self.columns: dict[str, int] = {}
        self.targets: dict[str, tuple[int, ...]] = {}
        self.rows: dict[str, list[int]] = {}
        self.candidates = nn.ModuleDict()
        for column, name in enumerate(operations):
            found = [(row, node) for row, node in leaving if mask[row][column]]
            if name == "none" or not found:
                continue
            self.columns[name] = column
            self.rows[name] = [row for row, _ in found]
            self.targets[name] = tuple(node for _, node in found)
            self.candidates[name] = _candidate(name, len(found), channels, stride)

    def weights(self, name: str, weights: Tensor) -> tuple[Tensor, ...]:
        """Of mixing weights [edges, operations], those of an operation, one an edge."""
        column = weights[:, self.columns[name]].unbind(0)
        return tuple(column[row] for row in self.rows[name])

    def forward(self, state: Tensor, weights: Tensor) -> Terms:
        """A state [B, C, H, W] and mixing weights [edges, operations] to what leaves it."""
        rectified = F.relu(state)
        repeated: dict[int, Tensor] = {}
        stacked: dict[tuple[int, ...], Tensor] = {}
        terms: Terms = []
        for name, candidate in self.candidates.items():
            targets, own = self.targets[name], self.weights(name, weights)
            if isinstance(candidate, Pool | nn.Identity):
                value = candidate(state)
                terms += [(node, value, w) for node, w in zip(targets, own, strict=True)]
                continue
            scale = torch.stack(own).repeat_interleave(self.channels)
            count = len(targets)
            if isinstance(candidate, Convolutions) and count not in repeated:
                repeated[count] = torch.cat([rectified] * count, 1) if count > 1 else rectified
            reduces = isinstance(candidate, Reduce)
            value = candidate(rectified if reduces else repeated[count], scale)
            stacked[targets] = stacked[targets].add_(value) if targets in stacked else value
        for targets, value in stacked.items():
            parts = value.split(self.channels, 1)
            terms += [(node, part, None) for node, part in zip(targets, parts, strict=True)]
        return terms


def _candidate(name: str, edges: int, channels: int, stride: int) -> nn.Module:
    match name:
        case "max_pool_3x3" | "avg_pool_3x3":
            return Pool(name, channels, stride)
        case "skip_connect":
            return nn.Identity() if stride == 1 else Reduce(edges, channels)
        case _:
            return Convolutions(name, edges, channels, stride)
