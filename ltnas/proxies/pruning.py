"""Operations that a search space keeps before a search, by zero-shot scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ltnas.axes.progression import keep_strongest
from ltnas.config.space import PARAMETRIC
from ltnas.proxies.operation_scores import ProbedSpace, Scores
from ltnas.proxies.stochastic_order import win_rates
from ltnas.space.edge_masks import Mask
from ltnas.space.genotype import Edge
from ltnas.space.layout import edges

Pool = Callable[[Tensor], Tensor]
"""Makes the win rates that decide out of those of each edge, [edges, operations]."""


@dataclass(frozen=True)
class Pruning:
    """Search space after zero-shot pruning.

    Args:
        rates: win rates by kind of cell, [edges, operations]; not a number where an edge lacks an
            operation, and for `none`.
        masks: operations that each edge keeps, by kind of cell.
    """

    rates: dict[str, Tensor]
    masks: dict[str, Mask]


def pruned(space: ProbedSpace, repeats: Sequence[Scores], keep: float, pool: Pool) -> Pruning:
    """Return the space with the operations that win most often against those of their edge.

    An edge keeps the share of its operations, rounded up, of which at least one has weights if it
    has such. `none`, which computes nothing, is dropped first.

    Args:
        space: search space.
        repeats: scores of all operations in each repeat.
        keep: share of the operations of an edge that are kept, in (0, 1].
        pool: see `Pool`.
    """
    rates = edge_win_rates(space, repeats)
    deciding = {kind: pool(values).nan_to_num(-1.0) for kind, values in rates.items()}
    return Pruning(
        rates,
        {
            kind: kept_operations(values, space.masks[kind], space.operations, keep)
            for kind, values in deciding.items()
        },
    )


def edge_win_rates(space: ProbedSpace, repeats: Sequence[Scores]) -> dict[str, Tensor]:
    """Return how often each operation has a larger score than another one of its edge."""
    found = {}
    for kind, mask in space.masks.items():
        rates = torch.full((len(mask), len(space.operations)), math.nan)
        for row, (node, source) in enumerate(edges(space.nodes)):
            columns = [
                column
                for column, name in enumerate(space.operations)
                if mask[row][column] and name != "none"
            ]
            places = [(kind, Edge(space.operations[column], node, source)) for column in columns]
            scores = [[scores[place] for scores in repeats] for place in places]
            rates[row, columns] = torch.tensor(win_rates(scores))
        found[kind] = rates
    return found


def of_each_edge(rates: Tensor) -> Tensor:
    """Return the win rates as they are: each edge keeps operations of its own."""
    return rates


def of_all_edges(rates: Tensor) -> Tensor:
    """Return the mean win rate of each operation for all edges, which keep the same operations."""
    return rates.nanmean(0, keepdim=True).expand_as(rates)


def kept_operations(rates: Tensor, mask: Mask, operations: tuple[str, ...], keep: float) -> Mask:
    """Return the mask of the operations that the edges of a cell keep; see `pruned`."""
    rows = []
    for values, there in zip(rates, mask, strict=True):
        count = math.ceil(keep * sum(there))
        ((*kept,),) = keep_strongest(values[None], (there,), operations, count)
        with_weights = [c for c, name in enumerate(operations) if there[c] and name in PARAMETRIC]
        if with_weights and not any(kept[column] for column in with_weights):
            weakest = min((c for c, is_kept in enumerate(kept) if is_kept), key=lambda c: values[c])
            kept[weakest] = False
            kept[max(with_weights, key=lambda c: values[c])] = True
        rows.append(tuple(kept))
    return tuple(rows)
