"""The selection axis: how mixing weights become a genotype."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from ltnas import config as c
from ltnas.axes.masks import masked
from ltnas.space.drawing import random_genotype
from ltnas.space.edge_masks import Masks
from ltnas.space.genotype import Edge, Genotype, cell_genotype
from ltnas.space.layout import edges


def nodes_of(weights: Tensor) -> int:
    """Return the number of intermediate nodes of a cell with mixing weights [edges, operations]."""
    nodes = 1
    while len(edges(nodes)) < len(weights):
        nodes += 1
    return nodes


def strongest(row: Tensor, operations: Sequence[str]) -> tuple[float, str]:
    """Return weight and name of the strongest operation of an edge, `none` left out.

    Of equal weights the first counts, as in the published code.

    Args:
        row: mixing weights of the edge, [operations].
        operations: names of the candidate operations.
    """
    # DARTS leaves `none` out (section 2.4): its strength is not determined, since it only scales a
    # node that is normalised afterwards.
    candidates = [
        (float(weight), name)
        for weight, name in zip(row, operations, strict=True)
        if name != "none"
    ]
    return max(candidates, key=lambda candidate: candidate[0])


def top2(weights: Tensor, operations: Sequence[str]) -> list[Edge]:
    """Return for each node the two edges with the strongest operations (DARTS, section 2.4).

    Args:
        weights: mixing weights of a cell, [edges, operations].
        operations: names of the candidate operations.
    """
    chosen = []
    # Rows of the mixing weights are edges (node, source).
    layout = edges(nodes_of(weights))
    for node in range(2, 2 + nodes_of(weights)):
        incoming = [
            (*strongest(weights[row], operations), source)
            for row, (target, source) in enumerate(layout)
            if target == node
        ]
        # The sort is stable: of equal weights the first edge counts.
        best = sorted(incoming, key=lambda item: -item[0])[:2]
        chosen += [Edge(name, node, source) for _, name, source in best]
    return chosen


def threshold_sparse(weights: Tensor, operations: Sequence[str], threshold: float) -> list[Edge]:
    """Return the edges of `top2` whose weight reaches the threshold (FairDARTS)."""
    rows = {edge: row for row, edge in enumerate(edges(nodes_of(weights)))}
    return [
        edge
        for edge in top2(weights, operations)
        if weights[rows[edge.node, edge.source], operations.index(edge.operation)] >= threshold
    ]


def threshold_edge(weights: Tensor, operations: Sequence[str], threshold: float) -> list[Edge]:
    """Return the two strongest operations of every edge that reach the threshold (FairDARTS)."""
    chosen = []
    for row, (node, source) in enumerate(edges(nodes_of(weights))):
        # In ascending order, so that the strongest are the last.
        candidates = sorted(
            (float(weight), name)
            for weight, name in zip(weights[row], operations, strict=True)
            if name != "none" and weight >= threshold
        )
        chosen += [Edge(name, node, source) for _, name in candidates[-2:]]
    return chosen


def pooled(weights: Tensor, operations: Sequence[str]) -> list[Edge]:
    """Return the two strongest pairs of edge and operation into each node, `none` left out (GDAS).

    Both may lie on one edge, as in the published code.

    Args:
        weights: mixing weights of a cell, [edges, operations].
        operations: names of the candidate operations.
    """
    chosen = []
    layout = edges(nodes_of(weights))
    for node in range(2, 2 + nodes_of(weights)):
        pairs = [
            (float(weight), Edge(name, node, source))
            for row, (target, source) in enumerate(layout)
            if target == node
            for weight, name in zip(weights[row], operations, strict=True)
            if name != "none" and weight > -math.inf
        ]
        chosen += [edge for _, edge in sorted(pairs, key=lambda pair: -pair[0])[:2]]
    return chosen


def every_edge(weights: Tensor, operations: Sequence[str]) -> list[Edge]:
    """Return the strongest operation of every edge, without edges on which it is `none` (SNAS).

    Args:
        weights: mixing weights of a cell, [edges, operations].
        operations: names of the candidate operations.
    """
    names = [operations[int(column)] for column in weights.argmax(-1)]
    return [
        Edge(name, node, source)
        for name, (node, source) in zip(names, edges(nodes_of(weights)), strict=True)
        if name != "none"
    ]


def with_few_skips(
    choose: Callable[[Tensor], list[Edge]],
    weights: Tensor,
    operations: Sequence[str],
    most: int,
) -> list[Edge]:
    """Return the edges of a cell with at most `most` skip connections (P-DARTS).

    The weakest skip connection that was chosen loses its weight, and the edges are chosen again.

    Args:
        choose: chooses edges by mixing weights, [edges, operations].
        weights: mixing weights of the cell, [edges, operations].
        operations: names of the candidate operations.
        most: largest number of skip connections.
    """
    rows = {edge: row for row, edge in enumerate(edges(nodes_of(weights)))}
    weights, chosen = weights.clone(), choose(weights)
    while True:
        skips = [edge for edge in chosen if edge.operation == "skip_connect"]
        if len(skips) <= most:
            return chosen
        column = operations.index("skip_connect")
        found = [rows[edge.node, edge.source] for edge in skips]
        weakest = min(found, key=lambda row: float(weights[row, column]))
        weights[weakest, column] = -math.inf
        chosen = choose(weights)


def select(
    config: c.Selection,
    weights: dict[str, Tensor],
    operations: Sequence[str],
    seed: int,
    *,
    masks: Masks | None = None,
    macro: str = "cells",
) -> tuple[Genotype, list[str]]:
    """Return the genotype of mixing weights, and notes on what a reader must know about it.

    A threshold that empties a cell is not used on that cell: its edges are chosen by `top2`, and a
    note says so, because a search of hours must not end without a genotype.

    Args:
        config: value on the selection axis.
        weights: mixing weights by kind of cell, [edges, operations].
        operations: names of the candidate operations.
        seed: seed of the run, for a selection that draws.
        masks: operations that each edge has, by kind of cell; None: all.
        macro: name of the macro-network.
    """
    if isinstance(config, c.RandomDraw):
        any_weights = next(iter(weights.values()))
        return random_genotype(operations, nodes_of(any_weights), seed, masks, macro), []
    notes: list[str] = []
    cells = {}
    for kind, of_kind in weights.items():
        # [edges, operations]; the choice is made on the CPU, since it reads single numbers.
        values = of_kind.detach().cpu()
        # Minus infinity is below every weight and every threshold, so masked operations lose.
        values = masked(values, None if masks is None else torch.tensor(masks[kind]))
        choose = partial(_select_edges, config, operations=operations)
        # Reduction cells may have any number of skip connections, as in P-DARTS.
        most = config.most_skips if kind == "normal" else None
        chosen = (
            choose(values) if most is None else with_few_skips(choose, values, operations, most)
        )
        if not _reaches_output(chosen):
            strength = max(strongest(row, operations)[0] for row in values)
            notes.append(
                f"no operation of the {kind} cell that was selected leads to its output "
                f"(strongest: {strength:.3f}): its two strongest edges a node were taken instead"
            )
            chosen = top2(values, operations)
        cells[kind] = cell_genotype(chosen)
    return Genotype(cells, macro), notes


def _select_edges(config: c.Selection, weights: Tensor, operations: Sequence[str]) -> list[Edge]:
    """Return the edges of one cell."""
    match config:
        case c.Top2():
            return top2(weights, operations)
        case c.ThresholdSparse():
            return threshold_sparse(weights, operations, config.threshold)
        case c.ThresholdEdge():
            return threshold_edge(weights, operations, config.threshold)
        case c.Pooled():
            return pooled(weights, operations)
        case c.EveryEdge():
            return every_edge(weights, operations)
        case _:
            raise TypeError(f"{config} is not a value on the selection axis")


def _reaches_output(chosen: list[Edge]) -> bool:
    """Return True if some edge comes from a cell's input, as the first node of any path does."""
    return any(edge.source < 2 for edge in chosen)


def entropy(weights: Tensor) -> float:
    """Return the mean over edges of the entropy of mixing weights, in nats.

    Args:
        weights: [edges, operations]; each edge is scaled to sum to one.
    """
    # Sigmoid gates do not sum to one, but the entropy is that of a distribution.
    shares = weights / weights.sum(-1, keepdim=True)
    return float(torch.special.entr(shares).sum(-1).mean())
