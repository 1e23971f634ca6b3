"""Heat map of zero-shot pruning: how good operations are on each edge, and which are kept."""

from __future__ import annotations

import math
from typing import Any

from ltnas.plots.cells import TITLES
from ltnas.plots.figure import INK, new_figure, save
from ltnas.runs.folder import RunFolder

FILE = "pruning.png"


def plot_pruning(folder: RunFolder) -> None:
    """Draw the pruning.json of a run to pruning.png."""
    save(draw(folder.read_json("pruning.json")), folder, FILE)


def draw(rows: list[dict[str, Any]]) -> Any:  # noqa: ANN401 - matplotlib has no types
    """Return a figure with a panel for each kind of cell: edges in rows, operations in columns.

    Darker squares are larger win rates, operations that are kept have a frame, and an operation
    that an edge does not have is left white.

    Args:
        rows: records of a pruning, see `ltnas.training.zero_shot.records`.
    """
    kinds = list(dict.fromkeys(row["cell"] for row in rows))
    operations = list(dict.fromkeys(row["operation"] for row in rows))
    edges = list(dict.fromkeys((row["node"], row["source"]) for row in rows))
    figure = new_figure(9, 1.9 + 0.3 * len(edges))
    panels = figure.subplots(1, len(kinds), squeeze=False)[0]
    for panel, kind in zip(panels, kinds, strict=True):
        table = [[math.nan] * len(operations) for _ in edges]
        for row in (row for row in rows if row["cell"] == kind):
            place = edges.index((row["node"], row["source"]))
            column = operations.index(row["operation"])
            if row["win_rate"] is not None:
                table[place][column] = row["win_rate"]
            if row["kept"]:
                _frame(panel, column, place)
        image = panel.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        panel.set_title(TITLES[kind], loc="left", color=INK, fontsize=12)
        names = [name.replace("_", " ") for name in operations]
        panel.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8, color=INK)
        places = [f"{source} → {node}" for node, source in edges]
        panel.set_yticks(range(len(places)), places, fontsize=8, color=INK)
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=list(panels), shrink=0.8, pad=0.02)
    bar.set_label("probability to beat another operation", fontsize=9, color=INK)
    bar.outline.set_visible(False)
    figure.suptitle("framed: kept for the search", fontsize=9, color=INK, x=0.02, ha="left")
    return figure


def _frame(panel: Any, column: int, row: int) -> None:  # noqa: ANN401
    """Draw a frame within a square of a heat map."""
    from matplotlib.patches import Rectangle

    panel.add_patch(
        Rectangle((column - 0.42, row - 0.4), 0.84, 0.8, fill=False, edgecolor="#e69f00", lw=1.6)
    )
