"""Interface of the executors of a supernet's cell, and the executor in plain PyTorch.

The plain executor defines what a cell computes. Another executor says by `can_run` which inputs it
supports; the plain executor computes the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from ltnas.kernels import gpu
from ltnas.kernels.normalisation import count_batch
from ltnas.models.bypass import passed, shuffled
from ltnas.models.cell_design import CellDesign
from ltnas.models.sources import EdgeWeights, Mixing, MixingWeights, Source
from ltnas.space.layout import edges


class CellExecutor(Protocol):
    """Computes the intermediate nodes of a cell from its two preprocessed input states."""

    def can_run(self, first: Tensor) -> bool:
        """Return True if the executor can compute with an input state [B, C, H, W]."""
        ...

    def run(self, first: Tensor, second: Tensor, weights: EdgeWeights) -> Tensor:
        """Return the concatenated intermediate nodes, [B, nodes * C, H', W'].

        Args:
            first: first input state, [B, C, H, W].
            second: second input state, [B, C, H, W].
            weights: mixing weights, and the operations that are executed.
        """
        ...


class PlainExecutor:
    """Sum of weighted candidate operations at every node, in PyTorch (DARTS, equations 1 and 2).

    Args:
        design: what the edges have.
        sources: edges of the cell.
        mixing: distributes the mixing weights to the sources.
        reduction: True for a reduction cell, whose nodes have half the size of its inputs.
    """

    def __init__(
        self,
        design: CellDesign,
        sources: Sequence[Source],
        mixing: MixingWeights,
        reduction: bool,
    ) -> None:
        self.design, self.sources, self.mixing = design, sources, mixing
        self.nodes, self.reduction = design.nodes, reduction

    def can_run(self, first: Tensor) -> bool:
        """Return True: every input is supported."""
        return True

    def run(self, first: Tensor, second: Tensor, weights: EdgeWeights) -> Tensor:
        """See `CellExecutor.run`."""
        on_gpu, executed = gpu.takes(first), weights.executed
        mixing: list[Mixing] = (self.mixing.expanded if on_gpu else self.mixing)(weights.values)
        states = [first, second]
        terms: dict[int, list[tuple[Tensor, Tensor | None]]] = defaultdict(list)
        bypassed: dict[int, list[tuple[Tensor, Tensor | None]]] = defaultdict(list)
        for state in range(2 + self.nodes):
            # All edges into a node come from earlier states, so its terms are complete.
            if state >= 2:
                states.append(self._node(terms[state], bypassed[state], first))
            seen, passed_on = self._split(states[state])
            for source, own in zip(self.sources, mixing, strict=True):
                if source.state != state:
                    continue
                for node, term, weight in source(seen, own, executed):
                    terms[node].append((term, weight))
            if passed_on is not None:
                self._bypass(state, passed_on, weights.values, bypassed)
        if not on_gpu:  # the GPU kernels count by themselves
            count_batch(self._norms(executed))
        # [B, nodes * C, H', W']
        return torch.cat(states[2:], dim=1)

    def _split(self, state: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the channels that operations see, and those that bypass them, if there are any."""
        share = self.design.partial_channels
        if share == 1:
            return state, None
        width = state.shape[1] // share
        seen = state[:, :width].contiguous(memory_format=torch.channels_last)
        return seen, state[:, width:]

    def _bypass(
        self,
        state: int,
        x: Tensor,
        weights: Tensor,
        bypassed: dict[int, list[tuple[Tensor, Tensor | None]]],
    ) -> None:
        """Add what the edges that leave a state pass on to the terms of their nodes.

        Args:
            state: number of the state.
            x: its channels that bypass the operations, [B, C - C / K, H, W].
            weights: mixing weights, [edges, columns], of which the last is that of the bypass.
            bypassed: terms of each node.
        """
        layout = edges(self.nodes)
        rows = [(row, node) for row, (node, source) in enumerate(layout) if source == state]
        if rows:
            value = passed(x, 2 if self.reduction and state < 2 else 1)
            for row, node in rows:
                bypassed[node].append((value, weights[row, -1]))

    def _node(
        self,
        terms: list[tuple[Tensor, Tensor | None]],
        bypassed: list[tuple[Tensor, Tensor | None]],
        state: Tensor,
    ) -> Tensor:
        """Return a node, [B, C, H', W'], of its terms and of what bypassed the operations.

        Args:
            terms: what the operations add, [B, C / K, H', W'] each.
            bypassed: what the edges pass on, [B, C - C / K, H', W'] each.
            state: an input state of the cell, [B, C, H, W].
        """
        if not bypassed:
            return self._sum(terms, state)
        computed = self._sum(terms, self._split(state)[0])
        return shuffled(computed, self._sum(bypassed, state))

    def _sum(self, terms: list[tuple[Tensor, Tensor | None]], state: Tensor) -> Tensor:
        """Return the value of a node, [B, C, H', W'].

        Args:
            terms: what its edges add, with mixing weights that are still to be applied.
            state: an input state of the cell, [B, C, H, W].
        """
        if not terms:
            stride = 2 if self.reduction else 1
            return torch.zeros_like(state[:, :, ::stride, ::stride])
        if gpu.takes(state):
            return gpu.weighted_sum(terms)
        (total, weight), *others = terms
        total = total if weight is None else total * weight.to(total.dtype)
        for term, weight in others:
            # One pass over the memory of the node, instead of a product and a sum.
            total = (
                total + term
                if weight is None
                else torch.addcmul(total, term, weight.to(term.dtype))
            )
        return total

    def _norms(self, executed: Sequence[int] | None) -> list[nn.BatchNorm2d]:
        """Return the layers whose batches `normalise` leaves to the cell to count."""
        # Collected in each pass: distributed training replaces layers by synchronised ones.
        modules = (
            module
            for source in self.sources
            for name in source.running(executed)
            for module in source.candidates[name].modules()
        )
        return [module for module in modules if type(module) is nn.BatchNorm2d]
