"""Heat map of the mixing weights of one epoch: edges in rows, operations in columns."""

from __future__ import annotations

import math
from typing import Any

from ltnas.plots.architecture import Curves, operations_in
from ltnas.plots.cells import TITLES
from ltnas.plots.figure import INK, new_figure


def heat_map(curves: dict[str, Curves], epoch: int) -> Any:  # noqa: ANN401 - matplotlib has no types
    """Return a figure with one panel for each kind of cell; darker squares are larger weights.

    An operation that an edge does not have is left white.

    Args:
        curves: mixing weights as `plots.architecture.read_curves` returns them.
        epoch: number of the epoch to show, counted from 0.
    """
    rows = max(len(edges) for edges in curves.values())
    figure = new_figure(9, 1.6 + 0.3 * rows)
    largest = max(  # common end of the colour scales
        values[epoch]
        for edges in curves.values()
        for row in edges.values()
        for values in row.values()
        if epoch < len(values)  # a stage before has dropped the others
    )
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    for panel, (kind, edges) in zip(panels, curves.items(), strict=True):
        operations = operations_in(curves)
        # [edges, operations]; nothing is drawn where a value is not a number.
        table = [
            [
                row[name][epoch] if epoch < len(row.get(name, ())) else math.nan
                for name in operations
            ]
            for row in edges.values()
        ]
        image = panel.imshow(table, cmap="Blues", vmin=0, vmax=largest, aspect="auto")
        panel.set_title(TITLES[kind], loc="left", color=INK, fontsize=12)
        names = [name.replace("_", " ") for name in operations]
        panel.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8, color=INK)
        places = [f"{source} → {node}" for node, source in edges]
        panel.set_yticks(range(len(places)), places, fontsize=8, color=INK)
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
    # One bar for all panels, whose colour scales are the same.
    bar = figure.colorbar(image, ax=list(panels), shrink=0.8, pad=0.02)
    bar.set_label(f"mixing weight after epoch {epoch + 1}", fontsize=9, color=INK)
    bar.outline.set_visible(False)
    return figure
