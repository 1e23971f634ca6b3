"""Conversion of genotypes of the original DARTS code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ltnas.config import StackedCells, require
from ltnas.errors import UserError
from ltnas.space.genotype import CellGenotype, Genotype, load_genotype, parse_genotype

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
"""Fields of the original code's genotype, in its order."""


def any_genotype(genotype: object) -> Genotype:
    """Convert any form of a genotype, with edges in the order in which the original builds them."""
    if isinstance(genotype, str | Path):
        genotype = load_genotype(str(genotype))[0]
    if not isinstance(genotype, Genotype):
        genotype = _parse_official(genotype)
    return Genotype({kind: _by_node(cell) for kind, cell in genotype.cells.items()}, genotype.macro)


def _by_node(cell: CellGenotype) -> CellGenotype:
    """Sort the edges of a cell by their nodes; the order of the edges into a node is kept."""
    return CellGenotype(tuple(sorted(cell.edges, key=lambda edge: edge.node)), cell.concat)


def _parse_official(genotype: object) -> Genotype:
    """Convert a genotype of the original code."""
    fields = _official_fields(genotype)
    data = {
        kind: {"edges": _official_edges(fields[kind]), "concat": list(fields[f"{kind}_concat"])}
        for kind in StackedCells.kinds
    }
    return parse_genotype(data, "genotype")


def _official_fields(genotype: object) -> dict[str, Any]:
    """Return the fields of a genotype that is an object, a dict or a plain tuple.

    Raises:
        UserError: a field is missing or is not a list, tuple or range.
    """
    fields: Mapping[str, Any]
    if isinstance(genotype, Mapping):
        fields = genotype
    elif type(genotype) is tuple:
        fields = dict(zip(FIELDS, genotype, strict=False))
    else:
        fields = {field: getattr(genotype, field, None) for field in FIELDS}
    for field in FIELDS:
        require(
            isinstance(fields.get(field), list | tuple | range),
            f"genotype has no {field}: give a published name, a file, a Genotype, or an "
            f"original genotype with {', '.join(FIELDS)}",
        )
    return dict(fields)


def _official_edges(pairs: Sequence[Any]) -> list[list[Any]]:
    """Convert pairs (operation, source), two for each node from 2 on, to [operation, node, source].

    Raises:
        UserError: an entry is not a pair.
    """
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise UserError(f"genotype: {pair!r} is not a pair of an operation and its source")
    # Two edges for each node, so that a pair's position gives its node.
    return [[name, 2 + index // 2, source] for index, (name, source) in enumerate(pairs)]
