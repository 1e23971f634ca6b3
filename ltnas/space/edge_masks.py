"""Masks: the candidate operations that each edge of a search space has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ltnas.config import Space, StackedCells
from ltnas.space.genotype import CellGenotype, Genotype
from ltnas.space.layout import edges

Mask = tuple[tuple[bool, ...], ...]
"""True for the candidate operations that exist, [edges][operations]."""
Masks = Mapping[str, Mask]
"""A mask for each kind of cell."""


def full_mask(nodes: int, operations: int) -> Mask:
    """Return the mask of a cell in which every edge has every operation.

    Args:
        nodes: number of intermediate nodes of the cell.
        operations: number of candidate operations.
    """
    return ((True,) * operations,) * len(edges(nodes))


def edge_masks(space: Space, kinds: Iterable[str] = StackedCells.kinds) -> dict[str, Mask]:
    """Return the mask of each kind of cell of a space.

    Args:
        space: search space.
        kinds: kinds of cell of the macro-network.
    """
    listed = {"normal": space.normal_edges, "reduce": space.reduce_edges}
    return {kind: _edge_mask(space, listed.get(kind)) for kind in kinds}


def _edge_mask(space: Space, listed: list[list[str]] | None) -> Mask:
    """Return the mask of a cell whose edges have listed operations; None: all of the space."""
    if listed is None:
        return full_mask(space.nodes, len(space.operations))
    return tuple(tuple(name in edge for name in space.operations) for edge in listed)


def cell_mask(cell: CellGenotype, nodes: int, operations: Sequence[str]) -> Mask:
    """Return the mask that has the operations of a discrete cell, and none elsewhere.

    Args:
        cell: discrete cell.
        nodes: number of intermediate nodes of the cell.
        operations: names of the candidate operations.
    """
    chosen = set(cell.edges)
    return tuple(
        tuple((operation, node, source) in chosen for operation in operations)
        for node, source in edges(nodes)
    )


def genotype_masks(genotype: Genotype, nodes: int, operations: Sequence[str]) -> dict[str, Mask]:
    """Return `cell_mask` of each kind of cell."""
    return {kind: cell_mask(cell, nodes, operations) for kind, cell in genotype.cells.items()}
