"""Genotypes: the discrete cells that a search ends with, as data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from ltnas.config import OPERATIONS
from ltnas.errors import UserError
from ltnas.space.layout import KINDS

FILE = "genotype.json"
"""Where a run folder keeps its genotype."""


class Edge(NamedTuple):
    """An operation from state `source` to state `node`."""

    operation: str
    node: int
    source: int


@dataclass(frozen=True)
class CellGenotype:
    """The edges of a cell and the nodes that its output concatenates."""

    edges: tuple[Edge, ...]
    concat: tuple[int, ...]

    def share(self, operation: str) -> float:
        """Of its edges that have an operation, in [0, 1]."""
        return sum(edge.operation == operation for edge in self.edges) / max(1, len(self.edges))


@dataclass(frozen=True)
class Genotype:
    """A normal and a reduction cell."""

    normal: CellGenotype
    reduce: CellGenotype

    def cell(self, kind: str) -> CellGenotype:
        """The cell of a kind, `normal` or `reduce`."""
        return self.normal if kind == "normal" else self.reduce

    def count(self, *operations: str) -> int:
        """How many edges of both cells have one of the operations."""
        both = (*self.normal.edges, *self.reduce.edges)
        return sum(edge.operation in operations for edge in both)

    def to_json(self) -> dict[str, Any]:
        """`{normal: {edges: [[operation, node, source], ...], concat: [...]}, reduce: ...}`."""
        return {
            kind: {
                "edges": [list(edge) for edge in self.cell(kind).edges],
                "concat": list(self.cell(kind).concat),
            }
            for kind in KINDS
        }


def cell_genotype(edges: Sequence[Edge]) -> CellGenotype:
    """A cell of these edges, in the order of nodes; its output is every node with an input."""
    ordered = tuple(sorted(edges, key=lambda edge: edge.node))
    return CellGenotype(ordered, tuple(sorted({edge.node for edge in ordered})))


def parse_genotype(data: object, where: str) -> Genotype:
    """The genotype in decoded JSON.

    Raises:
        UserError: it is none; the message begins with `where`.
    """
    if not isinstance(data, dict) or not set(KINDS) <= set(data):
        raise UserError(f"{where} is no genotype: it needs the keys normal and reduce")
    cells = {kind: _parse_cell(data[kind], f"{where}, {kind} cell") for kind in KINDS}
    return Genotype(**cells)


def _parse_cell(data: object, where: str) -> CellGenotype:
    if not isinstance(data, dict) or not isinstance(data.get("edges"), list):
        raise UserError(f"{where}: it needs edges, a list of [operation, node, source]")
    edges = tuple(_parse_edge(item, where) for item in data["edges"])
    fed = {edge.node for edge in edges}
    concat = data.get("concat", sorted(fed))
    if not edges or not isinstance(concat, list) or not concat:
        raise UserError(f"{where} is empty: at least one edge must lead to its output")
    for node in concat:
        if type(node) is not int or node not in fed:
            raise UserError(f"{where} outputs node {node}, which has no input: take it from concat")
    return CellGenotype(edges, tuple(concat))


def _parse_edge(item: object, where: str) -> Edge:
    if not isinstance(item, list) or len(item) != 3:
        raise UserError(f"{where}: {item!r} is no edge; an edge is [operation, node, source]")
    operation, node, source = item
    if operation not in OPERATIONS:
        raise UserError(
            f"{where}: operation {operation!r} is not known; there are {', '.join(OPERATIONS)}"
        )
    integers = all(type(state) is int for state in (node, source))
    if not integers or not 0 <= source < node or not 2 <= node < 32:
        raise UserError(
            f"{where}: the edge {item} must lead from a state to a later one, to 2 at the least"
        )
    return Edge(operation, node, source)


def published_names() -> list[str]:
    """Names of the genotypes that papers published, for `genotype=NAME`."""
    folder = resources.files("ltnas.space") / "published"
    return sorted(
        file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json")
    )


def load_genotype(where: str) -> tuple[Genotype, dict[str, Any]]:
    """The genotype of a run folder, a file or a published name, and the whole file's content.

    Raises:
        UserError: there is nothing of the kind, or it is broken.
    """
    if where.lower() in published_names():
        text = (resources.files("ltnas.space") / "published" / f"{where.lower()}.json").read_text()
    else:
        text = _read(where)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"genotype={where} is no JSON ({error}): give a genotype.json") from error
    genotype = parse_genotype(data, f"genotype={where}")
    if data.get("macro", "darts") != "darts":
        raise UserError(
            f"genotype={where} is made for the {data['macro']} network, which is not offered: "
            "take a genotype of DARTS cells"
        )
    return genotype, data


def _read(where: str) -> str:
    path = Path(where)
    try:
        path = path.expanduser()
        path = path / FILE if path.is_dir() else path
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"genotype={where} is no text: give a genotype.json") from error
    # RuntimeError: the home of no known user; ValueError: no name of a file can have it
    except (OSError, RuntimeError, ValueError) as error:
        unfinished = path.name == FILE and path.parent.is_dir()
        reason = "its search has not ended" if unfinished else "there is no such file"
        raise UserError(
            f"genotype={where} has no genotype ({path}: {reason}): give a run folder of "
            f"ltnas.search, a genotype.json, or one of {', '.join(published_names())}"
        ) from error


def live_edges(cell: CellGenotype) -> list[Edge]:
    """Edges that something flows through, in the genotype's order.

    FairDARTS' thresholds may leave a node without an input; edges out of it carry nothing.
    """
    alive = {0, 1}
    for node in sorted({edge.node for edge in cell.edges}):
        if any(edge.node == node and edge.source in alive for edge in cell.edges):
            alive.add(node)
    return [edge for edge in cell.edges if edge.source in alive]


def output_nodes(cell: CellGenotype) -> list[int]:
    """Nodes that the cell concatenates: those of the genotype that anything reaches.

    Raises:
        UserError: nothing reaches the output.
    """
    fed = {edge.node for edge in live_edges(cell)}
    nodes = [node for node in cell.concat if node in fed]
    if not nodes:
        raise UserError("the genotype has a cell in which nothing reaches the output: draw another")
    return nodes
