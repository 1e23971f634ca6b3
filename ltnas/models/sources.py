"""Edges that leave a state of a supernet's cell, with their candidate operations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.kernels import gpu
from ltnas.models.skip_dropout import DroppedSkip
from ltnas.models.stacked import Convolutions, EdgeNoise, Pool, Reduce, add_on_gpu
from ltnas.space.edge_masks import Mask

AUXILIARY_SKIP = "auxiliary_skip"
"""Name of the skip connection of DARTS- that every edge has beside its candidate operations."""

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


class EdgeWeights(NamedTuple):
    """Information on the edges of a supernet's cell."""

    values: Tensor
    """Mixing weights, [edges, columns]: the candidate operations, then those of `CellDesign`."""
    executed: tuple[int, ...] | None = None
    """Column of the only operation of each edge that is computed; None: all are computed."""


class Source(nn.Module):
    """Edges that leave a state, all of them or some.

    For each operation that an edge has, `columns` holds its column of the mixing weights, `rows`
    the row of each edge that has it, and `targets` the node that each of these edges enters.

    Args:
        state: number of the state in the cell; 0 and 1 are the cell's inputs.
        leaving: row of the mixing weights and node of each edge.
        operations: candidate operations, in the order of the mixing weights' columns.
        mask: operations that each edge of the cell has; the others are neither built nor run.
        channels: channels of the state.
        stride: stride of the edges.
        skip_dropout: True for skip connections of stride 1 that are followed by dropout.
        spectral: True to divide each convolution by its largest singular value.
    """

    def __init__(
        self,
        state: int,
        leaving: Sequence[tuple[int, int]],
        operations: Sequence[str],
        mask: Mask,
        channels: int,
        stride: int,
        *,
        skip_dropout: bool = False,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.state, self.channels, self.stride = state, channels, stride
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
            dropped = skip_dropout and stride == 1 and name == "skip_connect"
            self.candidates[name] = (
                DroppedSkip()
                if dropped
                else _candidate(name, len(present), channels, stride, spectral)
            )

    def running(self, executed: Sequence[int] | None) -> list[str]:
        """Return the names of the operations that are computed.

        Args:
            executed: see `EdgeWeights`; only for sources of a single edge.
        """
        if executed is None:
            return list(self.candidates)
        # The auxiliary skip connection is no candidate that could be chosen, and always computed.
        return [
            name
            for name in self.candidates
            if name == AUXILIARY_SKIP or self.columns[name] == executed[self.rows[name][0]]
        ]

    def forward(
        self, state: Tensor, mixing: Mixing, executed: Sequence[int] | None = None
    ) -> Terms:
        """Return what the edges add to their nodes.

        Args:
            state: the state, [B, C, H, W].
            mixing: mixing weights of each candidate operation.
            executed: see `running`.
        """
        if gpu.takes(state):
            return self._on_gpu(state, mixing, executed)
        # [B, C, H, W]: every convolution of an edge begins with ReLU, which is computed once.
        rectified = F.relu(state)
        # The state once for each edge, [B, count * C, H, W], by the number of edges.
        repeated: dict[int, Tensor] = {}
        # Sums of stacked outputs, [B, edges * C, H', W'], by the nodes that their edges enter.
        stacked: dict[tuple[int, ...], Tensor] = {}
        terms: Terms = []
        for name in self.running(executed):
            candidate, targets = self.candidates[name], self.targets[name]
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
        candidate = self.candidates[name]
        weights = zip(self.targets[name], mixing.shared[name], strict=True)
        if isinstance(candidate, DroppedSkip):  # drawn for each edge
            return [(node, candidate(state), weight) for node, weight in weights]
        value = candidate(state)
        return [(node, value, weight) for node, weight in weights]

    def _on_gpu(self, state: Tensor, mixing: Mixing, executed: Sequence[int] | None) -> Terms:
        """Return what the edges add to their nodes, by the GPU kernels."""
        stacked: dict[tuple[int, ...], Tensor] = {}
        done: set[str] = set()
        running = {name: self.candidates[name] for name in self.running(executed)}
        for name, candidate in running.items():
            targets = self.targets[name]
            if isinstance(candidate, Convolutions) and targets not in stacked:
                alike = {n: m for n, m in running.items() if self.targets[n] == targets}
                stacked[targets], names = add_on_gpu(alike, state, mixing.stacked)
                done |= names
        terms: Terms = []
        for name, candidate in running.items():
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
    return isinstance(candidate, Pool | nn.Identity | DroppedSkip)


def _candidate(name: str, edges: int, channels: int, stride: int, spectral: bool) -> nn.Module:
    """Build the module of a candidate operation for a number of edges.

    Raises:
        ValueError: the name is unknown.
    """
    match name:
        case "max_pool_3x3" | "avg_pool_3x3":
            return Pool(name, channels, stride)
        case "skip_connect" | "auxiliary_skip":
            return nn.Identity() if stride == 1 else Reduce(edges, channels, spectral=spectral)
        case "sep_conv_3x3" | "sep_conv_5x5" | "dil_conv_3x3" | "dil_conv_5x5":
            return Convolutions(name, edges, channels, stride, spectral=spectral)
        case "noise":
            return EdgeNoise(edges, stride)
        case _:
            raise ValueError(f"{name} is not a candidate operation")


class MixingWeights(nn.Module):
    """Distributes the mixing weights of a cell to its candidate operations.

    All of them are gathered at once: gathered one by one, they took a third of the operations of an
    architecture step, each of which is a launch on a GPU.

    Args:
        sources: edges of the cell.
        columns: number of columns of the mixing weights.
        channels: channels that candidate operations see.
    """

    positions: Tensor

    def __init__(self, sources: Sequence[Source], columns: int, channels: int) -> None:
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
                    row * columns + source.columns[name]
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
            weights: mixing weights, [edges, columns].
        """
        gathered = self._gather(weights)
        return self._distribute(gathered, gathered[self.parts[0] :], (False,))

    def expanded(self, weights: Tensor) -> list[Mixing]:
        """Return the same for the GPU kernels, which take a factor for each channel of all edges.

        Args:
            weights: mixing weights, [edges, columns].
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
