"""Selection by what a supernet loses without an operation (Wang et al. 2021, algorithm 1)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ltnas.space.genotype import Edge, Genotype, cell_genotype
from ltnas.space.layout import edges

Fitness = Callable[[dict[str, Tensor]], Any]
"""Returns what a supernet with such mixing weights is compared by; the larger, the better."""
Tune = Callable[[dict[str, Tensor]], None]
"""Trains a supernet with such mixing weights, after a decision and before the next one."""
KEPT_EDGES = 2
"""Number of edges into a node of a discrete cell."""


@dataclass(frozen=True)
class Decision:
    """Candidate operations of an edge, or edges into a node, with the fitness without each.

    Args:
        kind: kind of cell.
        node: node that the edges enter.
        without: fitness without each candidate, by (source, operation).
        kept: candidates that were kept.
    """

    kind: str
    node: int
    without: dict[tuple[int, str], Any]
    kept: list[tuple[int, str]]


def select_by_removal(
    mixing: dict[str, Tensor],
    operations: Sequence[str],
    nodes: int,
    fitness: Fitness,
    generator: random.Random,
    macro: str = "cells",
    tune: Tune | None = None,
) -> tuple[Genotype, list[Decision]]:
    """Return the genotype of a supernet, and the decisions that led to it.

    First each edge, in random order, keeps the operation without which the fitness is lowest; its
    weight becomes 1. Then each node, in random order, keeps the two edges without which the fitness
    is lowest. Each decision is made with the ones before it. `none` is no candidate, as in the
    selection of DARTS.

    Args:
        mixing: mixing weights by kind of cell, [edges, operations]; 0 where an edge lacks an
            operation.
        operations: names of the candidate operations.
        nodes: number of intermediate nodes of a cell.
        fitness: measures the supernet with given mixing weights.
        generator: draws the order of the decisions.
        macro: name of the macro-network.
        tune: called between decisions; None: the supernet stays as it is.
    """
    weights, layout, decisions = dict(mixing), edges(nodes), []
    of_edges = [(kind, row) for kind in mixing for row in range(len(layout))]
    for kind, row in generator.sample(of_edges, len(of_edges)):
        losses = _without_operations(weights, kind, row, operations, fitness)
        (kept,) = _most_missed(losses, 1)
        one = torch.zeros(len(operations))
        one[kept] = 1
        weights = _changed(weights, kind, row, one)
        node, source = layout[row]
        named = {(source, operations[column]): loss for column, loss in losses.items()}
        decisions.append(Decision(kind, node, named, [(source, operations[kept])]))
        if tune is not None:  # the edges of the nodes are still to be decided
            tune(weights)
    of_nodes = [(kind, node) for kind in mixing for node in range(2, 2 + nodes)]
    for number, (kind, node) in enumerate(generator.sample(of_nodes, len(of_nodes)), 1):
        rows = [row for row, (target, _) in enumerate(layout) if target == node]
        nothing = torch.zeros(len(operations))
        losses = {row: fitness(_changed(weights, kind, row, nothing)) for row in rows}
        kept_rows = sorted(_most_missed(losses, KEPT_EDGES))
        names = {
            row: (layout[row][1], operations[int(weights[kind][row].argmax())]) for row in rows
        }
        for row in set(rows) - set(kept_rows):
            weights = _changed(weights, kind, row, nothing)
        named = {names[row]: loss for row, loss in losses.items()}
        decisions.append(Decision(kind, node, named, [names[row] for row in kept_rows]))
        if tune is not None and number < len(of_nodes):
            tune(weights)
    chosen: dict[str, list[Edge]] = {kind: [] for kind in mixing}
    for decision in decisions[len(of_edges) :]:
        chosen[decision.kind] += [
            Edge(operation, decision.node, source) for source, operation in decision.kept
        ]
    cells = {kind: cell_genotype(found) for kind, found in chosen.items()}
    return Genotype(cells, macro), decisions


def _without_operations(
    weights: dict[str, Tensor], kind: str, row: int, operations: Sequence[str], fitness: Fitness
) -> dict[int, Any]:
    """Return the fitness without each operation that an edge has, by its column."""
    own = weights[kind][row]
    columns = [c for c, name in enumerate(operations) if name != "none" and own[c] > 0]
    return {c: fitness(_changed(weights, kind, row, without(own, c))) for c in columns}


def _changed(weights: dict[str, Tensor], kind: str, row: int, values: Tensor) -> dict[str, Tensor]:
    """Return mixing weights with others on one edge."""
    changed = weights[kind].clone()
    changed[row] = values
    return weights | {kind: changed}


def without(row: Tensor, column: int) -> Tensor:
    """Return the mixing weights of an edge without an operation, with the same sum.

    These are the softmax without the operation; sigmoid gates are scaled alike. If nothing is left,
    all weights are 0.

    Args:
        row: mixing weights, [operations].
        column: operation to leave out.
    """
    rest = row.clone()
    rest[column] = 0
    left = rest.sum()
    return rest * (row.sum() / left) if left > 0 else rest


def _most_missed(losses: dict[int, Any], count: int) -> list[int]:
    """Return the candidates without which the fitness is lowest; of equal ones the first."""
    return sorted(losses, key=lambda candidate: losses[candidate])[:count]
