"""Conversion of genotypes of the original DARTS code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ltnas.space.genotype import CellGenotype, Genotype, load_genotype, parse_genotype
from ltnas.space.official_genotypes import FIELDS, converted


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
    """Convert a genotype of the original code: an object, a dict or a plain tuple."""
    fields: Mapping[str, Any]
    if isinstance(genotype, Mapping):
        fields = genotype
    elif type(genotype) is tuple:
        fields = dict(zip(FIELDS, genotype, strict=False))
    else:
        fields = {field: getattr(genotype, field, None) for field in FIELDS}
    return parse_genotype(converted(fields, "genotype"), "genotype")
