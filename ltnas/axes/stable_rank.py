"""Mixing weights by the stable ranks of candidate operations (MSR-DARTS, Machida et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from ltnas.axes.relaxations import Relaxation, Tensors


class StableRank(Relaxation):
    """softmax(-rank / temperature) over the operations of an edge, without parameters.

    The ranks are measured on the weights of the supernet once an epoch, and constants in between.
    Selection takes the operations with the smallest ranks.

    Args:
        kinds: kinds of cell.
        edges: number of edges of a cell.
        operations: number of candidate operations.
        temperature: what ranks are divided by.
    """

    has_parameters = False

    def __init__(
        self, kinds: Iterable[str], edges: int, operations: int, temperature: float
    ) -> None:
        super().__init__()
        self.kinds, self.temperature = tuple(kinds), temperature
        for kind in self.kinds:
            # Equal weights until the first measurement. In checkpoints, so that a network that is
            # loaded computes what the saved one did.
            self.register_buffer(f"ranks_{kind}", torch.zeros(edges, operations))

    def measured(self) -> Tensors:
        """Return the stable ranks of each kind of cell, [edges, operations]."""
        return {kind: self.get_buffer(f"ranks_{kind}") for kind in self.kinds}

    def set_measured(self, values: Tensors) -> None:
        """Replace the stable ranks; infinite for operations that an edge does not have."""
        for kind, ranks in self.measured().items():
            ranks.copy_(values[kind])

    def forward(self, parameters: Tensors) -> Tensors:
        """Return the mixing weights of the newest ranks."""
        ranks = self.measured().items()
        return {kind: torch.softmax(-values / self.temperature, -1) for kind, values in ranks}

    def strengths(self, parameters: Tensors) -> Tensors:
        """Return the negative ranks, as selection prefers the largest values."""
        return {kind: -values for kind, values in self.measured().items()}


class StableRankOfCells(StableRank):
    """Mixing weights of each cell by the stable ranks of its own weights, as in published code.

    In a search all cells of a kind share the weights by their mean ranks, as they share
    architecture parameters elsewhere.

    Args:
        cells: number of cells of each kind.
        edges: number of edges of a cell.
        operations: number of candidate operations.
        temperature: what ranks are divided by.
    """

    def __init__(
        self, cells: Mapping[str, int], edges: int, operations: int, temperature: float
    ) -> None:
        super().__init__(cells, edges, operations, temperature)
        for kind, count in cells.items():
            self.register_buffer(f"ranks_{kind}", torch.zeros(count, edges, operations))

    def strengths(self, parameters: Tensors) -> Tensors:
        """Return the negative means of the ranks of all cells of a kind, [edges, operations]."""
        return {kind: -values.mean(0) for kind, values in self.measured().items()}
