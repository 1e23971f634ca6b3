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
    """A factor for each channel of the stacked output, [edges * C], of the other operations."""


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
        self.reduces = any(isinstance(module, Reduce) for module in self.candidates.values())

    def forward(self, state: Tensor, mixing: Mixing) -> Terms:
        """Return what the edges add to their nodes.

        Args:
            state: the state, [B, C, H, W].
            mixing: mixing weights of each candidate operation.
        """
        on_gpu = gpu.takes(state)
        # [B, C, H, W]: every convolution of an edge begins with ReLU, which is computed once, or on
        # a GPU by the convolutions while they read the state.
        rectified = state if on_gpu and not self.reduces else F.relu(state)
        pools = self._pools(state) if on_gpu else {}
        # The state once for each edge, [B, count * C, H, W], by the number of edges.
        repeated: dict[int, Tensor] = {}
        # Sums of stacked outputs, [B, edges * C, H', W'], by the nodes that their edges enter.
        stacked = self._convolve(state, mixing) if on_gpu else {}
        terms: Terms = []
        for name, candidate in self.candidates.items():
            targets = self.targets[name]
            # Pools and skip connections give every edge the same tensor; nodes apply the weights.
            if shared(candidate):
                if isinstance(candidate, Pool) and on_gpu:
                    value = candidate.normalise(pools[candidate.kind])
                else:
                    value = candidate(state)
                weights = zip(targets, mixing.shared[name], strict=True)
                terms += [(node, value, weight) for node, weight in weights]
                continue
            scale = mixing.stacked[name]  # [edges * C]
            count = len(targets)
            if isinstance(candidate, Convolutions) and on_gpu:
                continue  # computed already, together
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

    def _convolve(self, state: Tensor, mixing: Mixing) -> dict[tuple[int, ...], Tensor]:
        """Return the sums of all convolutions by the nodes that their edges enter, on a GPU."""
        names = [n for n, module in self.candidates.items() if isinstance(module, Convolutions)]
        found: dict[tuple[int, ...], Tensor] = {}
        for targets in dict.fromkeys(self.targets[name] for name in names):
            chosen = [name for name in names if self.targets[name] == targets]
            modules = [self.candidates[name] for name in chosen]
            convolutions = [module for module in modules if isinstance(module, Convolutions)]
            scales = [mixing.stacked[name] for name in chosen]
            found[targets] = add_on_gpu(convolutions, state, scales)
        return found

    def _pools(self, state: Tensor) -> dict[str, Tensor]:
        """Return the pools of a state by their kind, by a GPU kernel that computes all of them."""
        kinds = {m.kind for m in self.candidates.values() if isinstance(m, Pool)}
        if not kinds:
            return {}
        maximum, mean = gpu.pools(state, self.stride, maximum="max" in kinds, mean="avg" in kinds)
        return {"max": maximum, "avg": mean}


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
        # No position occurs twice, so that the backward pass, a sum by atomic additions on a GPU,
        # is deterministic.
        gathered = weights.flatten().index_select(0, self.positions)
        scalars, factors = gathered.split(self.parts)
        # A copy and never an expanded tensor: the backward pass of batch normalisation reads
        # outside of a scale with stride 0 (torch 2.15, CPU, channels-last).
        factors = factors.repeat_interleave(self.channels)
        sizes = [count * self.channels for names in self.counts[False] for _, count in names]
        shares, scales = iter(scalars.unbind()), iter(factors.split(sizes))
        return [
            Mixing(
                {name: list(islice(shares, count)) for name, count in shared_names},
                {name: next(scales) for name, _ in stacked_names},
            )
            for shared_names, stacked_names in zip(*self.counts.values(), strict=True)
        ]
