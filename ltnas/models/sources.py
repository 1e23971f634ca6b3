"""Edges that leave one state of a supernet's cell, with their candidate operations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.kernels import gpu
from ltnas.models.stacked import Convolutions, Pool, Reduce, add_on_gpu
from ltnas.space.layout import edges

Mask = tuple[tuple[bool, ...], ...]
"""Candidate operations that exist, [edges][operations]; the others are neither built nor run."""
Terms = list[tuple[int, Tensor, Tensor | None]]
"""Addends of the nodes: number of the node, tensor [B, C, H, W], and the mixing weight that it is
still to be multiplied by, or None.
"""


class Mixing(NamedTuple):
    """Mixing weights of the candidate operations of a `Source`, by their names."""

    shared: dict[str, Sequence[Tensor]]
    """A scalar for each edge, of operations that give all edges the same tensor."""
    stacked: dict[str, Tensor]
    """A factor for each channel of each edge, [edges * C], of the other operations, and for the GPU
    kernels of all.
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

    def forward(self, state: Tensor, mixing: Mixing) -> Terms:
        """Return what the edges add to their nodes.

        Args:
            state: the state, [B, C, H, W].
            mixing: mixing weights of each candidate operation.
        """
        if gpu.takes(state):
            return self._on_gpu(state, mixing)
        # [B, C, H, W]: every convolution of an edge begins with ReLU, which is computed once.
        rectified = F.relu(state)
        # The state once for each edge, [B, count * C, H, W], by the number of edges.
        repeated: dict[int, Tensor] = {}
        # Sums of stacked outputs, [B, edges * C, H', W'], by the nodes that their edges enter.
        stacked: dict[tuple[int, ...], Tensor] = {}
        terms: Terms = []
        for name, candidate in self.candidates.items():
            targets = self.targets[name]
            if shared(candidate):
                terms += self._shared(name, state, mixing)
                continue
            scale = mixing.stacked[name]  # [edges * C]
            count = len(targets)
            if isinstance(candidate, Convolutions):
                if count not in repeated:
                    repeated[count] = torch.cat([rectified] * count, 1) if count > 1 else rectified
                value = candidate(repeated[count], scale)
            else:
                value = candidate(rectified, scale)
            # In place: the backward pass of a normalisation needs its input, not its output.
            stacked[targets] = stacked[targets].add_(value) if targets in stacked else value
        for targets, value in stacked.items():
            parts = value.split(self.channels, 1)
            terms += [(node, part, None) for node, part in zip(targets, parts, strict=True)]
        return terms

    def _shared(self, name: str, state: Tensor, mixing: Mixing) -> Terms:
        """Return what an operation adds that gives every edge the same tensor."""
        value = self.candidates[name](state)
        weights = zip(self.targets[name], mixing.shared[name], strict=True)
        return [(node, value, weight) for node, weight in weights]

    def _on_gpu(self, state: Tensor, mixing: Mixing) -> Terms:
        """Return what the edges add to their nodes, by the GPU kernels."""
        stacked: dict[tuple[int, ...], Tensor] = {}
        done: set[str] = set()
        for name, candidate in self.candidates.items():
            targets = self.targets[name]
            if isinstance(candidate, Convolutions) and targets not in stacked:
                alike = {n: m for n, m in self.candidates.items() if self.targets[n] == targets}
                stacked[targets], names = add_on_gpu(alike, state, mixing.stacked)
                done |= names
        terms: Terms = []
        for name, candidate in self.candidates.items():
            targets = self.targets[name]
            if name in done:
                continue
            if shared(candidate):
                terms += self._shared(name, state, mixing)
                continue
            value = candidate(F.relu(state), mixing.stacked[name])
            stacked[targets] = stacked[targets].add_(value) if targets in stacked else value
        for targets, value in stacked.items():
            parts = gpu.split(value, self.channels)
            terms += [(node, part, None) for node, part in zip(targets, parts, strict=True)]
        return terms


def shared(candidate: nn.Module) -> bool:
    """Return True if an operation gives all edges that leave a state the same tensor."""
    return isinstance(candidate, Pool | nn.Identity)


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


class MixingWeights(nn.Module):
    """Distributes the mixing weights of a cell to its candidate operations.

    All of them are gathered at once: gathered one by one, they took a third of the operations of an
    architecture step, each of which is a launch on a GPU.

    Args:
        sources: edges that leave each state of the cell.
        operations: number of candidate operations, the columns of the mixing weights.
        channels: channels of each state.
    """

    positions: Tensor

    def __init__(self, sources: Sequence[Source], operations: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        # Name of each operation with the number of its edges, by source and by whether its edges
        # share a tensor, and positions in the flattened mixing weights in the same order.
        self.counts: dict[bool, list[list[tuple[str, int]]]] = {True: [], False: []}
        positions: dict[bool, list[int]] = {True: [], False: []}
        for source in sources:
            for kind in (True, False):
                chosen = [n for n, c in source.candidates.items() if shared(c) is kind]
                self.counts[kind].append([(name, len(source.rows[name])) for name in chosen])
                positions[kind] += [
                    row * operations + source.columns[name]
                    for name in chosen
                    for row in source.rows[name]
                ]
        self.parts = [len(positions[kind]) for kind in (True, False)]
        self.listed = positions[True] + positions[False]
        empty = torch.empty(len(self.listed), dtype=torch.int64)
        self.register_buffer("positions", empty, persistent=False)
        self.fill()

    def fill(self) -> None:
        """Write the positions, which no checkpoint has; needed again after `to_empty`."""
        if not self.positions.is_meta:
            self.positions.copy_(torch.tensor(self.listed, dtype=torch.int64))

    def forward(self, weights: Tensor) -> list[Mixing]:
        """Return the mixing weights of each source.

        Args:
            weights: mixing weights, [edges, operations].
        """
        gathered = self._gather(weights)
        return self._distribute(gathered, gathered[self.parts[0] :], (False,))

    def expanded(self, weights: Tensor) -> list[Mixing]:
        """Return the same for the GPU kernels, which take a factor for each channel of all edges.

        Args:
            weights: mixing weights, [edges, operations].
        """
        gathered = self._gather(weights)
        return self._distribute(gathered, gathered, (True, False))

    def _gather(self, weights: Tensor) -> Tensor:
        """Return the mixing weights of all operations, [edges of all operations]."""
        # No position occurs twice, so that the backward pass, a sum by atomic additions on a GPU,
        # is deterministic.
        return weights.flatten().index_select(0, self.positions)

    def _distribute(
        self, gathered: Tensor, expanded: Tensor, kinds: Sequence[bool]
    ) -> list[Mixing]:
        """Return the mixing weights of each source.

        Args:
            gathered: mixing weights of all operations, those first whose edges share a tensor.
            expanded: the part of them that is expanded to channels.
            kinds: kinds of operations in that part, True for those whose edges share a tensor.
        """
        shares = iter(gathered[: self.parts[0]].unbind())
        found = [
            Mixing({name: list(islice(shares, count)) for name, count in names}, {})
            for names in self.counts[True]
        ]
        # A copy and never an expanded tensor: the backward pass of batch normalisation reads
        # outside of a scale with stride 0 (torch 2.15, CPU, channels-last).
        factors = expanded.repeat_interleave(self.channels)
        chosen = [self.counts[kind] for kind in kinds]
        sizes = [count * self.channels for kind in chosen for names in kind for _, count in names]
        scales = iter(factors.split(sizes))
        for kind in chosen:
            for mixing, names in zip(found, kind, strict=True):
                mixing.stacked.update({name: next(scales) for name, _ in names})
        return found
