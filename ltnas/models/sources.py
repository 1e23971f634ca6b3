"""Edges that leave one state of a supernet's cell, with their candidate operations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.models.stacked import Convolutions, Pool, Reduce
from ltnas.space.layout import edges

Mask = tuple[tuple[bool, ...], ...]
"""Candidate operations that exist, [edges][operations]; the others are neither built nor run."""
Terms = list[tuple[int, Tensor, Tensor | None]]
"""Addends of the nodes: number of the node, tensor [B, C, H, W], and the mixing weight that it is
still to be multiplied by, or None.
"""


class Source(nn.Module):
    """All edges that leave a state.

    For each operation that an edge has, `columns` holds its column of the mixing weights, `rows`
    the row of each edge that has it, and `targets` the node that each of these edges enters.

    Args:
        state: number of the state in the cell; 0 and 1 are the cell's inputs.
        nodes: number of intermediate nodes of the cell.
        operations: candidate operations, in the order of the mixing weights' columns.
        mask: operations that each edge of the cell has.
        channels: channels of the state.
        stride: stride of the edges.
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
        # Rows of the mixing weights and nodes of the edges that leave the state.
        leaving = [
            (row, node) for row, (node, source) in enumerate(edges(nodes)) if source == state
        ]
        self.columns: dict[str, int] = {}
        self.targets: dict[str, tuple[int, ...]] = {}
        self.rows: dict[str, list[int]] = {}
        self.candidates = nn.ModuleDict()
        for column, name in enumerate(operations):
            # Without `none`, which adds zero; its mixing weight still lowers those of the others in
            # a softmax.
            present = [(row, node) for row, node in leaving if mask[row][column]]
            if name == "none" or not present:
                continue
            self.columns[name] = column
            self.rows[name] = [row for row, _ in present]
            self.targets[name] = tuple(node for _, node in present)
            self.candidates[name] = _candidate(name, len(present), channels, stride)

    def weights(self, name: str, weights: Tensor) -> tuple[Tensor, ...]:
        """Return the mixing weight of an operation on each edge that has it.

        Args:
            name: name of the operation.
            weights: mixing weights, [edges, operations].
        """
        column = weights[:, self.columns[name]].unbind(0)
        return tuple(column[row] for row in self.rows[name])

    def forward(self, state: Tensor, weights: Tensor) -> Terms:
        """Return what the edges add to their nodes.

        Args:
            state: the state, [B, C, H, W].
            weights: mixing weights, [edges, operations].
        """
        # [B, C, H, W]: every convolution of an edge begins with ReLU, which is computed once.
        rectified = F.relu(state)
        # The state once for each edge, [B, count * C, H, W], by the number of edges.
        repeated: dict[int, Tensor] = {}
        # Sums of stacked outputs, [B, edges * C, H', W'], by the nodes that their edges enter.
        stacked: dict[tuple[int, ...], Tensor] = {}
        terms: Terms = []
        for name, candidate in self.candidates.items():
            targets, mixing = self.targets[name], self.weights(name, weights)
            # Pools and skip connections give every edge the same tensor; nodes apply the weights.
            if isinstance(candidate, Pool | nn.Identity):
                value = candidate(state)
                terms += [(node, value, w) for node, w in zip(targets, mixing, strict=True)]
                continue
            # One factor for each channel of the stacked output, [edges * C].
            # A copy and never an expanded tensor: the backward pass of batch normalisation reads
            # outside of a scale with stride 0 (torch 2.15, CPU, channels-last).
            scale = torch.stack(mixing).repeat_interleave(self.channels)
            count = len(targets)
            if isinstance(candidate, Convolutions) and count not in repeated:
                repeated[count] = torch.cat([rectified] * count, 1) if count > 1 else rectified
            reduces = isinstance(candidate, Reduce)
            value = candidate(rectified if reduces else repeated[count], scale)
            # In place: the backward pass of a normalisation needs its input, not its output.
            stacked[targets] = stacked[targets].add_(value) if targets in stacked else value
        for targets, value in stacked.items():
            parts = value.split(self.channels, 1)
            terms += [(node, part, None) for node, part in zip(targets, parts, strict=True)]
        return terms


def _candidate(name: str, edges: int, channels: int, stride: int) -> nn.Module:
    """Build the module of a candidate operation for a number of edges.

    Raises:
        ValueError: the name is unknown.
    """
    match name:
        case "max_pool_3x3" | "avg_pool_3x3":
            return Pool(name, channels, stride)
        case "skip_connect":
            return nn.Identity() if stride == 1 else Reduce(edges, channels)
        case "sep_conv_3x3" | "sep_conv_5x5" | "dil_conv_3x3" | "dil_conv_5x5":
            return Convolutions(name, edges, channels, stride)
        case _:
            raise ValueError(f"{name} is not a candidate operation")
