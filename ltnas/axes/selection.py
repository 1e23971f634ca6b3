"""How mixing weights become a genotype."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ltnas.config import RandomDraw, Selection, ThresholdEdge, ThresholdSparse
from ltnas.space.genotype import CellGenotype, Edge, Genotype, cell_genotype
from ltnas.space.layout import KINDS, edges

SelectCell = Callable[[Tensor, Sequence[str]], list[Edge]]


def nodes_of(weights: Tensor) -> int:
    """Intermediate nodes of a cell with so many edges (rows)."""
    nodes = 1
    while len(edges(nodes)) < len(weights):
        nodes += 1
    return nodes


def strongest(row: Tensor, operations: Sequence[str]) -> tuple[float, str]:
    """Weight and name of the strongest operation of an edge, `none` left out.

    Of equals the first counts, as in the published code.
    """
    candidates = [
        (float(weight), name)
        for weight, name in zip(row, operations, strict=True)
        if name != "none"
    ]
    return max(candidates, key=lambda candidate: candidate[0])


def top2(weights: Tensor, operations: Sequence[str]) -> list[Edge]:
    """For each node the two edges with the strongest operations (DARTS, section 2.4).

    Args:
        weights: mixing weights of a cell, [edges, operations].
        operations: their names.
    """
    chosen = []
    layout = edges(nodes_of(weights))
    for node in range(2, 2 + nodes_of(weights)):
        incoming = [
            (*strongest(weights[row], operations), source)
            for row, (target, source) in enumerate(layout)
            if target == node
        ]
        best = sorted(incoming, key=lambda item: -item[0])[:2]  # stable: of equals the first
        chosen += [Edge(name, node, source) for _, name, source in best]
    return chosen


def threshold_sparse(weights: Tensor, operations: Sequence[str], threshold: float) -> list[Edge]:
    """`top2` less the operations with a weight below the threshold (FairDARTS)."""
    rows = {edge: row for row, edge in enumerate(edges(nodes_of(weights)))}
    return [
        edge
        for edge in top2(weights, operations)
        if weights[rows[edge.node, edge.source], operations.index(edge.operation)] >= threshold
    ]


def threshold_edge(weights: Tensor, operations: Sequence[str], threshold: float) -> list[Edge]:
    """Of every edge the two strongest operations that reach the threshold (FairDARTS)."""
    chosen = []
    for row, (node, source) in enumerate(edges(nodes_of(weights))):
        candidates = sorted(
            (float(weight), name)
            for weight, name in zip(weights[row], operations, strict=True)
            if name != "none" and weight >= threshold
        )
        chosen += [Edge(name, node, source) for _, name in candidates[-2:]]
    return chosen


def random_genotype(operations: Sequence[str], nodes: int, seed: int) -> Genotype:
    """Two edges into each node and an operation on each, drawn uniformly."""
    generator = random.Random(seed)
    names = [name for name in operations if name != "none"]

    def draw() -> CellGenotype:
        return cell_genotype(
            [
                Edge(generator.choice(names), node, source)
                for node in range(2, 2 + nodes)
                for source in sorted(generator.sample(range(node), 2))
            ]
        )

    return Genotype(draw(), draw())


def select(
    config: Selection, weights: dict[str, Tensor], operations: Sequence[str]
) -> tuple[Genotype, list[str]]:
    """The genotype of mixing weights, and what a reader must know about it.

    A threshold that empties a cell is not used on it: that cell is taken by `top2`, and a note
    says so, because a search of hours must not end without a genotype.
    """
    notes: list[str] = []
    cells = {}
    for kind in KINDS:
        values = weights[kind].detach().cpu()
        chosen = _select_cell(config, values, operations)
        if not _reaches_output(chosen):
            strength = max(strongest(row, operations)[0] for row in values)
            notes.append(
                f"no operation of the {kind} cell leads to its output above the threshold "
                f"(strongest: {strength:.3f}): its two strongest edges a node were taken instead"
            )
            chosen = top2(values, operations)
        cells[kind] = cell_genotype(chosen)
    return Genotype(**cells), notes


def _select_cell(config: Selection, weights: Tensor, operations: Sequence[str]) -> list[Edge]:
    match config:
        case ThresholdSparse():
            return threshold_sparse(weights, operations, config.threshold)
        case ThresholdEdge():
            return threshold_edge(weights, operations, config.threshold)
        case RandomDraw():
            raise ValueError("random genotypes are drawn without mixing weights")
        case _:
            return top2(weights, operations)


def _reaches_output(chosen: list[Edge]) -> bool:
    """Whether some edge comes from a cell's input; the first node on any path has one."""
    return any(edge.source < 2 for edge in chosen)


def entropy(weights: Tensor) -> float:
    """Mean over edges of the entropy of the weights, scaled to sum to one, in nats."""
    shares = weights / weights.sum(-1, keepdim=True)
    return float(torch.special.entr(shares).sum(-1).mean())
