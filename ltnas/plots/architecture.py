"""Mixing weights of every edge over the epochs of a search."""

from __future__ import annotations

import csv
from collections import defaultdict
from typing import Any, NamedTuple

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
    figure, grids = panel_grid(sum(rows), columns)
    scale, stages = common_scale(curves), stages_of(folder)
    first = 0
    for (kind, edges), count in zip(curves.items(), rows, strict=True):
        panels = grids[first : first + count].ravel()
        for panel, (edge, operations) in zip(panels, edges.items(), strict=False):
            _draw_edge(panel, operations)
            mark_stages(panel, stages)
            _style(panel, f"{kind} {edge[1]} → {edge[0]}", scale)
        for panel in panels[len(edges) :]:  # unused places of the grid
            panel.axis("off")
        first += count
    found = operations_in(curves)
    operation_legend(figure, [n for n in OPERATION_COLOURS if n in found], loc="upper center")
    figure.text(0.5, 0.1 / figure.get_figheight(), "epoch", fontsize=9, color=INK, ha="center")
    place = {"ha": "left", "va": "center", "rotation": "vertical"}
    figure.text(0.1 / figure.get_figwidth(), 0.5, "mixing weight", fontsize=9, color=INK, **place)
    save(figure, folder, "architecture.png")


def panel_grid(rows: int, columns: int) -> tuple[Any, Any]:
    """Return a figure with a grid of small panels, and the panels, [rows, columns].

    Places and scales are set instead of found by matplotlib, which needs three times as long for
    the panels of all edges.
    """
    width, height = 1.75 * columns, 1.5 * rows + 1.1  # inches
    figure = new_figure(width, height, layout=None)
    grids = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.8 / width,
        right=1 - 0.1 / width,
        bottom=0.5 / height,
        top=1 - 0.85 / height,
        wspace=0.15,
        hspace=0.25,
    )
    return figure, grids


class Scale(NamedTuple):
    """Ends and ticks of the axes that all panels have."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_ticks: list[float]
    y_ticks: list[float]


def common_scale(curves: dict[str, Curves]) -> Scale:
    """Return a scale on which all values of all panels can be seen."""
    from matplotlib.ticker import MaxNLocator

    lines = [v for edges in curves.values() for by_name in edges.values() for v in by_name.values()]
    epochs, values = max(map(len, lines)), [value for line in lines for value in line]

    def ends_and_ticks(low: float, high: float, integer: bool) -> tuple[Any, list[float]]:
        margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
        ends = (low - margin, high + margin)
        found = MaxNLocator(nbins=4, integer=integer, min_n_ticks=1).tick_values(*ends)
        return ends, [float(tick) for tick in found if ends[0] <= tick <= ends[1]]

    x, x_ticks = ends_and_ticks(1, epochs, integer=True)
    y, y_ticks = ends_and_ticks(min(values), max(values), integer=False)
    return Scale(x, y, x_ticks, y_ticks)


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


def _draw_edge(panel: Any, operations: dict[str, list[float]]) -> None:  # noqa: ANN401
    """Draw a curve for each operation of an edge."""
    for name, values in operations.items():
        panel.plot(
            range(1, len(values) + 1),
            values,
            color=OPERATION_COLOURS[name],
            linewidth=1.5,
            linestyle="--" if name == "edge" else "-",
            marker="o" if len(values) == 1 else "",  # one point makes no line
            markersize=3,
        )


def _style(panel: Any, title: str, scale: Scale) -> None:  # noqa: ANN401
    """Set title, scale and colours of a panel; only outer panels have numbers at their ticks."""
    # A text, since matplotlib looks for a free place for titles at each drawing.
    panel.text(0.5, 1.03, title, fontsize=8, color=INK, ha="center", transform=panel.transAxes)
    panel.set(xlim=scale.x, ylim=scale.y, xticks=scale.x_ticks, yticks=scale.y_ticks)
    panel.tick_params(labelsize=7, colors=INK)
    panel.label_outer()
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(FAINT)
