"""Mixing weights of a search over its epochs, as the page draws them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ltnas.plots.architecture import operations_in, read_curves
from ltnas.plots.figure import OPERATION_COLOURS
from ltnas.runs.folder import RunFolder


def mixing_weights(folder: Path) -> dict[str, Any] | None:
    """Return the mixing weights of a search, or None if they cannot be read.

    Args:
        folder: run folder of the search.

    Returns:
        `operations`: names of the candidate operations; `colours`: colour of each operation;
        `cells`: kind of cell -> edge -> weights, [operations, epochs]; [] for an operation that
        the edge does not have.
    """
    try:
        curves = read_curves(RunFolder(folder))
        names = operations_in(curves)
        cells = {
            kind: {
                f"{source} → {node}": [
                    [round(w, 3) for w in by_name.get(name, [])] for name in names
                ]
                for (node, source), by_name in edges.items()
            }
            for kind, edges in curves.items()
        }
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return None
    if not names:
        return None
    colours = [OPERATION_COLOURS.get(name, "#777777") for name in names]
    return {"operations": names, "colours": colours, "cells": cells}
