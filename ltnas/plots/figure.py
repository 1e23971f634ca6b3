"""Creation and saving of figures without a display, and the colours of all plots."""

from __future__ import annotations

from typing import Any, Literal

from ltnas.runs.atomic import atomically
from ltnas.runs.folder import RunFolder

INK, PAPER, FAINT = "#22262b", "#ffffff", "#9aa3ad"
OPERATION_COLOURS = {
    "none": "#c9ced4",
    "skip_connect": "#e69f00",
    "max_pool_3x3": "#56b4e9",
    "avg_pool_3x3": "#0072b2",
    "sep_conv_3x3": "#009e73",
    "sep_conv_5x5": "#00684c",
    "dil_conv_3x3": "#cc79a7",
    "dil_conv_5x5": "#8f3f6f",
    "edge": "#5c3d99",
    "noise": "#d55e00",
}
"""Colour of each operation in the Okabe-Ito palette.

Grey for none, orange for skip connections, blue for pooling, green for separable and purple for
dilated convolutions, vermilion for noise, and violet for the weight of an edge itself.
"""


def new_figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Any:  # noqa: ANN401 - matplotlib has no types
    """Return an empty figure.

    Args:
        width: width in inches.
        height: height in inches.
        layout: way in which matplotlib places the panels; None: the caller places them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Not pyplot, which keeps every figure alive and may look for a display.
    figure = Figure(figsize=(width, height), facecolor=PAPER, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Any, folder: RunFolder, name: str) -> None:  # noqa: ANN401
    """Write a figure into a run folder, atomically.

    Args:
        figure: matplotlib figure.
        folder: run folder that the file is written to.
        name: file name that ends in .svg, .png or .pdf, which decides the format.
    """
    import matplotlib as mpl

    # Fixed ids and no date, so that equal figures give equal files.
    with mpl.rc_context({"svg.hashsalt": "ltnas"}), atomically(folder.path / name) as partial:
        kind = name.rpartition(".")[2].lower()
        date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(partial, format=kind, dpi=150, metadata=date.get(kind, {}))


def operation_legend(
    figure: Any,  # noqa: ANN401
    names: list[str],
    loc: str = "outside upper center",
) -> None:
    """Add a legend of these operations above the panels.

    Args:
        figure: matplotlib figure.
        names: names of the operations.
        loc: place; `outside` is for figures with a layout of matplotlib.
    """
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=OPERATION_COLOURS[name], linewidth=3, label=name.replace("_", " "))
        for name in names
    ]
    columns = min(4, len(names))
    figure.legend(handles=handles, loc=loc, ncols=columns, frameon=False, fontsize=9)
