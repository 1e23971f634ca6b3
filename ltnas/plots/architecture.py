"""Mixing weights of every edge over the epochs of a search."""

from __future__ import annotations

import csv
from collections import defaultdict
from typing import Any

from ltnas.plots.figure import FAINT, INK, OPERATION_COLOURS, new_figure, operation_legend, save
from ltnas.plots.stage_lines import mark_stages, stages_of
from ltnas.runs.folder import RunFolder

Curves = dict[tuple[int, int], dict[str, list[float]]]
"""Weights by edge and operation: (node, source) -> operation -> one weight for each epoch."""


def plot_architecture(folder: RunFolder) -> None:
    """Draw architecture.csv to architecture.png: one panel for each edge of each kind of cell."""
    curves = read_curves(folder)
    # The 14 edges of a cell with four nodes fill two rows.
    columns = min(7, max(len(edges) for edges in curves.values()))
    rows = [-(-len(edges) // columns) for edges in curves.values()]  # rounded up
    figure = new_figure(1.75 * columns, 1.5 * sum(rows) + 1.0)
    grids = figure.subplots(sum(rows), columns, sharex=True, sharey=True, squeeze=False)
    first = 0
    for (kind, edges), count in zip(curves.items(), rows, strict=True):
        _draw_kind(grids[first : first + count].ravel(), kind, edges)
        first += count
    stages = stages_of(folder)
    for panel in grids.flat:
        mark_stages(panel, stages)
    found = operations_in(curves)
    operation_legend(figure, [name for name in OPERATION_COLOURS if name in found])
    figure.supxlabel("epoch", fontsize=9, color=INK)
    figure.supylabel("mixing weight", fontsize=9, color=INK)
    save(figure, folder, "architecture.png")


def read_curves(folder: RunFolder) -> dict[str, Curves]:
    """Return the mixing weights in architecture.csv: kind of cell -> curves of its edges.

    Raises:
        OSError: the file cannot be read.
        KeyError, ValueError: a column is missing or a value is not a number.
    """
    curves: dict[str, Curves] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    with (folder.path / "architecture.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            edge = (int(row["node"]), int(row["source"]))
            curves[row["cell"]][edge][row["operation"]].append(float(row["weight"]))
    return dict(curves)


def operations_in(curves: dict[str, Curves]) -> list[str]:
    """Return the operations of all edges in the order of the file; edges may differ in theirs."""
    of_edges = [by_name for edges in curves.values() for by_name in edges.values()]
    return list(dict.fromkeys(name for by_name in of_edges for name in by_name))


def _draw_kind(panels: Any, kind: str, edges: Curves) -> None:  # noqa: ANN401
    for panel, ((node, source), operations) in zip(panels, edges.items(), strict=False):
        for name, values in operations.items():
            marker = "o" if len(values) == 1 else ""  # one point makes no line
            panel.plot(
                range(1, len(values) + 1),
                values,
                color=OPERATION_COLOURS[name],
                linewidth=1.5,
                linestyle="--" if name == "edge" else "-",
                marker=marker,
                markersize=3,
            )
        panel.set_title(f"{kind} {source} → {node}", fontsize=8, color=INK)
        panel.tick_params(labelsize=7, colors=INK)
        panel.spines[["top", "right"]].set_visible(False)
        panel.spines[["left", "bottom"]].set_color(FAINT)
        panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in panels[len(edges) :]:  # unused places of the grid
        panel.axis("off")
