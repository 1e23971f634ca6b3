"""Genotypes: the discrete cells that a search selects, as JSON, and the published ones."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from ltnas.config import KNOWN_OPERATIONS, MACROS
from ltnas.errors import UserError
from ltnas.space.official_genotypes import genotype_in_text

FILE = "genotype.json"
"""Name of the genotype's file in a run folder."""


class Edge(NamedTuple):
    """An operation from state `source` to state `node`."""

    operation: str
    node: int
    source: int


@dataclass(frozen=True)
class CellGenotype:
    """A discrete cell.

    Args:
        edges: edges of the cell.
        concat: nodes that the output of the cell concatenates, in this order.
    """

    edges: tuple[Edge, ...]
    concat: tuple[int, ...]

    def share(self, operation: str) -> float:
        """Return the share of edges that have an operation, in [0, 1]."""
        return sum(edge.operation == operation for edge in self.edges) / max(1, len(self.edges))


@dataclass(frozen=True)
class Genotype:
    """A discrete cell of each kind that the macro-network has.

    Args:
        cells: cells by kind, such as `normal` and `reduce`.
        macro: name of the macro-network, `cells` or `broad`.
    """

    cells: Mapping[str, CellGenotype]
    macro: str = "cells"

    def __hash__(self) -> int:
        """Return a hash of the cells and of the macro-network."""
        return hash((self.macro, *self.cells.items()))

    def cell(self, kind: str) -> CellGenotype:
        """Return the cell of a kind."""
        return self.cells[kind]

    def count(self, *operations: str) -> int:
        """Return the number of edges of all cells that have one of the operations."""
        edges = (edge for cell in self.cells.values() for edge in cell.edges)
        return sum(edge.operation in operations for edge in edges)

    def to_json(self) -> dict[str, Any]:
        """Return `{normal: {edges: [[operation, node, source], ...], concat: [...]}, reduce: ...}`.

        A genotype of another macro-network than stacked cells has its name, too: `macro: broad`.
        `parse_genotype` is the inverse.
        """
        named = {} if self.macro == "cells" else {"macro": self.macro}
        return named | {
            kind: {"edges": [list(edge) for edge in cell.edges], "concat": list(cell.concat)}
            for kind, cell in self.cells.items()
        }


def cell_genotype(edges: Sequence[Edge]) -> CellGenotype:
    """Return a cell with edges in the order of their nodes; it outputs all nodes with an input."""
    # The sort is stable, so that the edges into a node keep their order.
    ordered = tuple(sorted(edges, key=lambda edge: edge.node))
    return CellGenotype(ordered, tuple(sorted({edge.node for edge in ordered})))


def parse_genotype(data: object, where: str) -> Genotype:
    """Return the genotype in decoded JSON.

    Args:
        data: decoded JSON in the form of `Genotype.to_json`; a missing `concat` means all nodes
            with an input, and a missing `macro` stacked cells.
        where: where the data comes from, with which error messages begin.

    Raises:
        UserError: the data is not a valid genotype.
    """
    macro = data.get("macro", "cells") if isinstance(data, dict) else "cells"
    if not isinstance(macro, str) or macro not in MACROS:
        raise UserError(
            f"{where} is made for the macro-network {macro!r}, which is not known: its macro must "
            f"be one of {', '.join(MACROS)}"
        )
    kinds = MACROS[macro].kinds
    if not isinstance(data, dict) or not set(kinds) <= set(data):
        raise UserError(f"{where} is no genotype: it needs the keys {' and '.join(kinds)}")
    cells = {kind: _parse_cell(data[kind], f"{where}, {kind} cell") for kind in kinds}
    return Genotype(cells, macro)


def _parse_cell(data: object, where: str) -> CellGenotype:
    if not isinstance(data, dict) or not isinstance(data.get("edges"), list):
        raise UserError(f"{where}: it needs edges, a list of [operation, node, source]")
    edges = tuple(_parse_edge(item, where) for item in data["edges"])
    nodes_with_input = {edge.node for edge in edges}
    concat = data.get("concat", sorted(nodes_with_input))
    if not edges or not isinstance(concat, list) or not concat:
        raise UserError(f"{where} is empty: at least one edge must lead to its output")
    for node in concat:
        if type(node) is not int or node not in nodes_with_input:
            raise UserError(f"{where} outputs node {node}, which has no input: take it from concat")
    return CellGenotype(edges, tuple(concat))


def _parse_edge(item: object, where: str) -> Edge:
    if not isinstance(item, list) or len(item) != 3:
        raise UserError(f"{where}: {item!r} is no edge; an edge is [operation, node, source]")
    operation, node, source = item
    if operation not in KNOWN_OPERATIONS:
        names = ", ".join(KNOWN_OPERATIONS)
        raise UserError(f"{where}: operation {operation!r} is not known; choose one of {names}")
    # `type` and not `isinstance`, as True is an int. No cell has states beyond 31.
    integers = all(type(state) is int for state in (node, source))
    if not integers or not 0 <= source < node or not 2 <= node < 32:
        raise UserError(
            f"{where}: the edge {item} must lead from a state to a later one, which is at least 2"
        )
    return Edge(operation, node, source)


def without_file(path: Path) -> Path:
    """Return the run folder of a path to its genotype.json, and any other path as it is."""
    return path.parent if path.name == FILE else path


@functools.cache
def _published_files() -> dict[str, Traversable]:
    """Return the files of all published genotypes by name."""
    folder = resources.files("ltnas.space") / "published"
    files = [file for file in folder.iterdir() if file.name.endswith(".json")]
    return {file.name.removesuffix(".json"): file for file in files}


def is_published(name: str) -> bool:
    """Return True for the name of a published genotype, in any case."""
    return name.lower() in _published_files()


def published_names() -> list[str]:
    """Return the names of all published genotypes, for `genotype=NAME`."""
    return sorted(_published_files())


def load_genotype(where: str | Path) -> tuple[Genotype, dict[str, Any]]:
    """Load a genotype.

    Args:
        where: a run folder, a file, or the name of a published genotype in any case. The file is
            a genotype.json, or a text with `Genotype(...)` as other code prints it, of which the
            last one is taken.

    Returns:
        The genotype and the whole content of its file, or what its text means in JSON.

    Raises:
        UserError: there is no such genotype, or it is damaged.
    """
    where = str(where)
    published = _published_files().get(where.lower())
    text = _read(where) if published is None else published.read_text(encoding="utf-8")
    data = _decoded(text, f"genotype={where}")
    return parse_genotype(data, f"genotype={where}"), data


def _decoded(text: str, where: str) -> Any:  # noqa: ANN401 - `parse_genotype` checks it
    """Return the decoded JSON of a text, or the data of the last `Genotype(...)` in it."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        data = genotype_in_text(text, where)
        if data is None:
            raise UserError(
                f"{where} is no JSON ({error}) and has no Genotype(...): give a genotype.json, or "
                "a text with the genotype as the code of DARTS prints it"
            ) from error
        return data


def _read(where: str) -> str:
    path = Path(where)
    try:
        path = path.expanduser()
        path = path / FILE if path.is_dir() else path
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"genotype={where} is no text: give a genotype.json") from error
    # RuntimeError: the path begins with ~ and an unknown user. ValueError: invalid file name.
    except (OSError, RuntimeError, ValueError) as error:
        unfinished = path.name == FILE and path.parent.is_dir()
        reason = "its search has not ended" if unfinished else "there is no such file"
        raise UserError(
            f"genotype={where} has no genotype ({path}: {reason}): give a run folder of "
            f"ltnas.search, a genotype.json, or one of {', '.join(published_names())}"
        ) from error


def live_edges(cell: CellGenotype) -> list[Edge]:
    """Return the edges whose source is connected to an input of the cell, in the same order.

    The thresholds of FairDARTS may leave a node without an input; edges that leave it are dead.
    """
    # Every edge leads to a later node, so one pass over the nodes in ascending order is enough.
    alive = {0, 1}  # the inputs of the cell
    for node in sorted({edge.node for edge in cell.edges}):
        if any(edge.node == node and edge.source in alive for edge in cell.edges):
            alive.add(node)
    return [edge for edge in cell.edges if edge.source in alive]


def output_nodes(cell: CellGenotype) -> list[int]:
    """Return the nodes that the cell concatenates, without those that no live edge enters.

    Raises:
        UserError: no node is left.
    """
    entered = {edge.node for edge in live_edges(cell)}
    # In the order of `concat`, which decides the order of channels in published weights.
    nodes = [node for node in cell.concat if node in entered]
    if not nodes:
        raise UserError(
            "the genotype has a cell in which nothing reaches the output: take another genotype"
        )
    return nodes
