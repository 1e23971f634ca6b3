"""Stable ranks of the candidate operations of a supernet (MSR-DARTS, Machida et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from ltnas import config as c
from ltnas.models.sources import Source
from ltnas.models.stacked import Convolutions
from ltnas.models.supernet import Supernet, SupernetCell
from ltnas.space.layout import CellPlan, edges

Measure = Callable[[Supernet], dict[str, Tensor]]
"""Returns a number for each candidate operation by kind of cell, [edges, operations]."""


def stable_ranks(matrices: Tensor) -> Tensor:
    """Return |W|_F^2 / |W|_2^2 of each matrix, from 1 to its rank.

    Args:
        matrices: [matrices, rows, columns].
    """
    squares: Tensor = torch.linalg.svdvals(matrices).square()  # [matrices, values], largest first
    return squares.sum(-1) / squares[:, 0]


def supernet_ranks(supernet: Supernet, image_size: int | None = None) -> dict[str, Tensor]:
    """Return the means of `ranks_of_cells` over the cells of each kind, [edges, operations]."""
    return {kind: ranks.mean(0) for kind, ranks in ranks_of_cells(supernet, image_size).items()}


def ranks_of_cells(supernet: Supernet, image_size: int | None = None) -> dict[str, Tensor]:
    """Return the stable rank of the last 1x1 convolution of each candidate operation.

    Ranks of the cells of each kind, [cells, edges, operations], infinite where an edge does not
    have the operation. Spectral normalisation changes no rank.

    Args:
        supernet: supernet.
        image_size: side of the images, pixels, for ranks at the scale of the published code; None:
            ranks of the matrices.
    """
    found: dict[str, list[Tensor]] = {kind: [] for kind in supernet.kinds}
    first = None if image_size is None else supernet.first_side(image_size)
    places = zip(supernet.plans, _sides(supernet.plans, first), strict=True)
    cells = [(*place, cell) for place, cell in zip(places, supernet.cells, strict=True)]
    if supernet.rebalancing_cell is not None:  # in the place of the last cell
        cells.append((*cells[-1][:2], supernet.rebalancing_cell))
    for plan, side, cell in cells:
        assert isinstance(cell, SupernetCell)
        ranks = _cell_ranks(cell, len(supernet.operation_names), supernet.nodes)
        if side is not None:
            ranks = ranks * published_areas(plan.reduction, side, supernet.nodes).to(ranks)[:, None]
        found[plan.kind].append(ranks)
    return {kind: torch.stack(ranks) for kind, ranks in found.items()}


@torch.no_grad()
def _cell_ranks(cell: SupernetCell, operations: int, nodes: int) -> Tensor:
    """Return the stable ranks of the candidates of a cell, [edges, operations]."""
    chosen = [
        (source.rows[name], source.columns[name], candidate.chain()[-1])
        for source in cell.sources
        if isinstance(source, Source)
        for name, candidate in source.candidates.items()
        if isinstance(candidate, Convolutions)
    ]
    # One batch of [C, C] matrices, those of all edges of all operations.
    matrices = [last.pointwise.flatten(1).unflatten(0, (last.edges, -1)) for *_, last in chosen]
    values = stable_ranks(torch.cat(matrices))
    ranks = values.new_full((len(edges(nodes)), operations), math.inf)
    rows = [row for rows, _, _ in chosen for row in rows]
    columns = [column for rows, column, _ in chosen for _ in rows]
    ranks[rows, columns] = values
    return ranks


def _sides(plans: Sequence[CellPlan], first: int | None) -> list[int | None]:
    """Return the side of the inputs of each cell, pixels; None for each if the first is."""
    sides, side = [], first
    for plan in plans:
        sides.append(side)
        if side is not None and plan.reduction:
            side //= 2
    return sides


def published_areas(reduction: bool, side: int, nodes: int) -> Tensor:
    """Return the factor of the published code for the ranks of each edge, [edges].

    It is the number of pixels of the output: the map of a 1x1 convolution has each singular value
    of its matrix once for each pixel. The code takes those of the input for edges between the nodes
    of a reduction cell, four times their number.

    Args:
        reduction: True for a cell that halves the size.
        side: side of the cell's inputs, pixels.
        nodes: number of intermediate nodes.
    """
    halved = side // 2 if reduction else side
    areas = [float((halved if source < 2 else side) ** 2) for _, source in edges(nodes)]
    return torch.tensor(areas)


def build_measure(config: c.Relaxation, image_size: int) -> Measure | None:
    """Return what a relaxation has measured once an epoch; None if it has parameters instead.

    Args:
        config: value on the relaxation axis.
        image_size: side of the images, pixels.
    """
    if not isinstance(config, c.StableRank):
        return None
    return partial(supernet_ranks, image_size=image_size if config.scale == "published" else None)
