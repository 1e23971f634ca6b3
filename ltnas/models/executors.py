"""Interface of the executors of a supernet's cell, and the executor in plain PyTorch.

The plain executor defines what a cell computes. Another executor says by `can_run` which inputs it
supports; the plain executor computes the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ltnas.models.sources import Source


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
        nodes: number of intermediate nodes.
        reduction: True for a reduction cell, whose nodes have half the size of its inputs.
    """

    def __init__(self, sources: Sequence[Source], nodes: int, reduction: bool) -> None:
        self.sources, self.nodes, self.reduction = sources, nodes, reduction

    def can_run(self, first: Tensor) -> bool:
        """Return True: every input is supported."""
        return True

    def run(self, first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
        """See `CellExecutor.run`."""
        states = [first, second]
        sums: dict[int, Tensor] = {}  # sum of the terms of each node so far
        for state, source in enumerate(self.sources):
            # All edges into a node come from earlier states, so its sum is complete.
            if state >= 2:
                states.append(sums[state] if state in sums else self._zeros(first))
            for node, term, weight in source(states[state], weights):
                if node not in sums:
                    sums[node] = term if weight is None else term * weight.to(term.dtype)
                elif weight is None:
                    sums[node] = sums[node] + term
                else:
                    # One pass over the memory of the node, instead of a product and a sum.
                    sums[node] = torch.addcmul(sums[node], term, weight.to(term.dtype))
        last = self.nodes + 1
        states.append(sums[last] if last in sums else self._zeros(first))
        # [B, nodes * C, H', W']
        return torch.cat(states[2:], dim=1)

    def _zeros(self, state: Tensor) -> Tensor:
        """Return the value of a node without input, zeros of [B, C, H', W']."""
        stride = 2 if self.reduction else 1
        return torch.zeros_like(state[:, :, ::stride, ::stride])
