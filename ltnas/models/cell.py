"""A discrete cell, whose nodes may have any number of inputs (DARTS, section 2.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor, nn

from ltnas.kernels import gpu
from ltnas.models.operation_kernels import run_operation, run_together
from ltnas.models.operations import DropPath, operation, preprocess_before, preprocess_previous
from ltnas.space.genotype import CellGenotype, live_edges, output_nodes
from ltnas.space.layout import CellPlan


class Cell(nn.Module):
    """A cell in which each node sums the operations that enter it.

    Args:
        plan: width of the cell and of its inputs.
        genotype: edges of the cell.
    """

    def __init__(self, plan: CellPlan, genotype: CellGenotype) -> None:
        super().__init__()
        self.preprocess0 = preprocess_before(plan, affine=True)
        self.preprocess1 = preprocess_previous(plan, affine=True)
        self.kind = plan.kind
        self.edges = live_edges(genotype)
        self.operations = nn.ModuleList(
            operation(
                edge.operation,
                plan.channels,
                2 if plan.reduction and edge.source < 2 else 1,
                affine=True,
            )
            for edge in self.edges
        )
        # A skip connection of stride 1 is never dropped.
        self.droppable = [not isinstance(module, nn.Identity) for module in self.operations]
        self.outputs = output_nodes(genotype)

    def forward(self, before: Tensor, previous: Tensor, factors: Sequence[Tensor] = ()) -> Tensor:
        """Compute the cell.

        Args:
            before: output of the cell before the previous one, [B, C, H, W].
            previous: output of the previous cell, [B, C', H', W'].
            factors: factors of drop path, one for each droppable operation; () for none.

        Returns:
            The concatenated output nodes, [B, len(outputs) * channels, H'', W''].
        """
        # [B, channels, H', W'] each.
        states = {0: self.preprocess0(before), 1: self.preprocess1(previous)}
        remaining = iter(factors)
        chosen = [next(remaining, None) if droppable else None for droppable in self.droppable]
        if gpu.takes(states[1]):
            self._compute_on_gpu(states, chosen)
            return torch.cat([states[node] for node in self.outputs], dim=1)
        parts = zip(self.edges, self.operations, chosen, strict=True)
        # Node by node, as an edge may only be computed when its source is complete.
        for edge, candidate, factor in sorted(parts, key=lambda part: part[0].node):
            partial = states.get(edge.node)
            states[edge.node] = run_operation(candidate, states[edge.source], factor, partial)
        # Only the nodes that the genotype concatenates; FairDARTS may leave some out.
        return torch.cat([states[node] for node in self.outputs], dim=1)

    def _compute_on_gpu(self, states: dict[int, Tensor], factors: Sequence[Tensor | None]) -> None:
        """Add the nodes to the states: operations that leave a state are computed together."""
        terms: dict[int, list[tuple[Tensor, None]]] = defaultdict(list)

        def complete(node: int) -> None:
            if node not in states:
                (first, _), *others = terms[node]
                states[node] = gpu.weighted_sum(terms[node]) if others else first

        for source in sorted({edge.source for edge in self.edges}):
            complete(source)
            numbers = [n for n, edge in enumerate(self.edges) if edge.source == source]
            leaving = [self.operations[number] for number in numbers]
            own = [factors[number] for number in numbers]
            for number, y in zip(numbers, run_together(leaving, states[source], own), strict=True):
                terms[self.edges[number].node].append((y, None))
        for node in self.outputs:
            complete(node)


def drawn_factors(
    drop_path: DropPath, cells: Sequence[Cell], like: Tensor
) -> Iterator[tuple[Tensor, ...]]:
    """Draw drop path for all cells at once, and return the factors of each cell in turn.

    Args:
        drop_path: draws the factors.
        cells: cells in the order in which they are computed.
        like: see `DropPath`.
    """
    counts = [sum(cell.droppable) for cell in cells]
    factors = iter(drop_path(sum(counts), like=like))
    return (tuple(islice(factors, count)) for count in counts)
