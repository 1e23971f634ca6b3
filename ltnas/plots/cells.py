"""Drawing of a genotype: its cells of each kind as directed graphs."""

from __future__ import annotations

from typing import Any

from ltnas.plots.figure import FAINT, INK, OPERATION_COLOURS, new_figure, operation_legend, save
from ltnas.runs.folder import RunFolder
from ltnas.space.genotype import CellGenotype, Edge, Genotype, parse_genotype

TITLES = {
    "normal": "normal cell",
    "reduce": "reduction cell",
    "enhancement": "enhancement cell",
}
"""Title of each kind of cell."""


def plot_cells(folder: RunFolder) -> None:
    """Draw the genotype.json of a run to cells.svg and cells.png."""
    genotype = parse_genotype(folder.read_json("genotype.json"), "genotype.json")
    figure = draw(genotype)
    for name in ("cells.svg", "cells.png"):
        save(figure, folder, name)


def draw(genotype: Genotype) -> Any:  # noqa: ANN401 - matplotlib has no types
    """Return a figure with a cell of each kind in a row and a legend of operations."""
    figure = new_figure(9, 8.6)
    panels = figure.subplots(len(genotype.cells), 1)
    for axes, (kind, cell) in zip(panels, genotype.cells.items(), strict=True):
        _draw_cell(axes, cell, TITLES[kind])
    used = {edge.operation for cell in genotype.cells.values() for edge in cell.edges}
    operation_legend(figure, [name for name in OPERATION_COLOURS if name in used])
    return figure


def positions(cell: CellGenotype) -> dict[int | str, tuple[float, float]]:
    """Return the (x, y) position of each state: inputs left, one column a node, "out" right."""
    nodes = sorted(
        {edge.node for edge in cell.edges} | {edge.source for edge in cell.edges} - {0, 1}
    )
    places: dict[int | str, tuple[float, float]] = {0: (0.0, 0.75), 1: (0.0, -0.75)}
    for index, node in enumerate(nodes):
        # Heights alternate, so that arrows between neighbouring nodes do not lie on one line.
        places[node] = (1.6 + 1.6 * index, (1.15, -1.15, 0.45, -0.45)[index % 4])
    places["out"] = (1.6 + 1.6 * len(nodes), 0.0)
    return places


def _draw_cell(axes: Any, cell: CellGenotype, title: str) -> None:  # noqa: ANN401
    places = positions(cell)
    labels: dict[int | str, str] = {0: "c(k-2)", 1: "c(k-1)", "out": "c(k)"}
    # One coloured arrow for each edge, a dashed one from each concatenated node to the output.
    for edge in cell.edges:
        start, (x, y) = places[edge.source], places[edge.node]
        end = (x, y + _offset(edge, cell))
        _arrow(axes, start, end, colour=OPERATION_COLOURS[edge.operation], bend=_bend(start, end))
    for node in cell.concat:
        _arrow(axes, places[node], places["out"], colour=FAINT, bend=0.0, width=1.0, style="--")
    for state, (x, y) in places.items():
        axes.text(
            x,
            y,
            labels.get(state, str(state)),
            ha="center",
            va="center",
            color=INK,
            fontsize=11,
            zorder=3,
            bbox={
                "boxstyle": "round,pad=0.45",
                "facecolor": "#ffffff" if isinstance(state, int) and state > 1 else "#eef1f4",
                "edgecolor": INK,
                "linewidth": 1.2,
            },
        )
    axes.set_title(title, loc="left", color=INK, fontsize=13)
    axes.set_xlim(-0.6, places["out"][0] + 0.6)
    axes.set_ylim(-2.3, 2.3)
    axes.axis("off")


def _offset(edge: Edge, cell: CellGenotype) -> float:
    """Return the vertical distance from a node's centre at which an edge ends.

    Edges into one node end at different heights, so that their arrow heads do not overlap.
    """
    places = positions(cell)
    incoming = [other for other in cell.edges if other.node == edge.node]
    incoming.sort(key=lambda other: (places[other.source][1], other.operation))
    return 0.24 * (incoming.index(edge) - (len(incoming) - 1) / 2)


def _bend(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Return the curvature of an arrow; long arrows bend outwards around the nodes between."""
    length = end[0] - start[0]
    if length < 2.0:
        return 0.0
    side = 1.0 if start[1] + end[1] < 0 else -1.0
    return side * min(0.12 + 0.045 * length, 0.4)


def _arrow(
    axes: Any,  # noqa: ANN401
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    colour: str,
    bend: float,
    width: float = 2.4,
    style: str = "-",
) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        zorder=2,
        arrowprops={
            "arrowstyle": "-|>",
            "mutation_scale": 14,
            "color": colour,
            "linewidth": width,
            "linestyle": style,
            "shrinkA": 14,
            "shrinkB": 17,
            "connectionstyle": f"arc3,rad={bend}",
        },
    )
