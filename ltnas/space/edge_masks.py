"""Masks: the candidate operations that each edge of a search space has."""

from __future__ import annotations

from collections.abc import Mapping

from ltnas.config import Space
from ltnas.space.layout import KINDS, edges

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


def edge_masks(space: Space) -> dict[str, Mask]:
    """Return the mask of each kind of cell of a space."""
    listed = dict(zip(KINDS, (space.normal_edges, space.reduce_edges), strict=True))
    return {
        kind: full_mask(space.nodes, len(space.operations))
        if names is None
        else tuple(tuple(name in edge for name in space.operations) for edge in names)
        for kind, names in listed.items()
    }
