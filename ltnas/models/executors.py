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
from ltnas.models.sources import Mixing, MixingWeights, Source


class CellExecutor(Protocol):
    """Computes the intermediate nodes of a cell from its two preprocessed input states."""

    def can_run(self, first: Tensor) -> bool:
        """Return True if the executor can compute with an input state [B, C, H, W]."""
        ...

    def run(self, first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
        """Return the concatenated intermediate nodes, [B, nodes * C, H', W'].

        Args:
            first: first input state, [B, C, H, W].
            second: second input state, [B, C, H, W].
            weights: mixing weights, [edges, operations].
        """
        ...


class PlainExecutor:
    """Sum of weighted candidate operations at every node, in PyTorch (DARTS, equations 1 and 2).

    Args:
        sources: edges that leave each state, in the order of the states.
        mixing: distributes the mixing weights to the sources.
        nodes: number of intermediate nodes.
        reduction: True for a reduction cell, whose nodes have half the size of its inputs.
    """

    def __init__(
        self, sources: Sequence[Source], mixing: MixingWeights, nodes: int, reduction: bool
    ) -> None:
        self.sources, self.mixing = sources, mixing
        self.nodes, self.reduction = nodes, reduction

    def can_run(self, first: Tensor) -> bool:
        """Return True: every input is supported."""
        return True

    def run(self, first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
        """See `CellExecutor.run`."""
        states = [first, second]
        terms: dict[int, list[tuple[Tensor, Tensor | None]]] = defaultdict(list)
        on_gpu = gpu.takes(first)
        mixing: list[Mixing] = self.mixing.expanded(weights) if on_gpu else self.mixing(weights)
        for state, source in enumerate(self.sources):
            # All edges into a node come from earlier states, so its terms are complete.
            if state >= 2:
                states.append(self._sum(terms[state], first))
            for node, term, weight in source(states[state], mixing[state]):
                terms[node].append((term, weight))
        if not on_gpu:  # the GPU kernels count by themselves
            count_batch(self._norms())
        states.append(self._sum(terms[self.nodes + 1], first))
        # [B, nodes * C, H', W']
        return torch.cat(states[2:], dim=1)

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

    def _norms(self) -> list[nn.BatchNorm2d]:
        """Return the layers whose batches `normalise` leaves to the cell to count."""
        # Collected in each pass: distributed training replaces layers by synchronised ones.
        modules = (module for source in self.sources for module in source.modules())
        return [module for module in modules if type(module) is nn.BatchNorm2d]
