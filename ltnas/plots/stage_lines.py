"""Lines where the stages of a search begin."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ltnas.plots.figure import FAINT
from ltnas.runs.folder import RunFolder


def first_epochs(rows: Sequence[Mapping[str, str]]) -> list[int]:
    """Return the first epoch, from 1, of every stage but the first.

    Args:
        rows: rows of history.csv, one for each epoch.
    """
    stages = [row.get("stage") for row in rows]
    pairs = itertools.pairwise(stages)
    return [epoch for epoch, (before, now) in enumerate(pairs, 2) if before != now]


def stages_of(folder: RunFolder) -> list[int]:
    """Return `first_epochs` of the run in a folder; none if it has no history."""
    try:
        with (folder.path / "history.csv").open(newline="", encoding="utf-8") as file:
            return first_epochs(list(csv.DictReader(file)))
    except FileNotFoundError:
        return []


def mark_stages(panel: Any, epochs: Sequence[int]) -> None:  # noqa: ANN401 - matplotlib
    """Draw a dotted line before each of these epochs."""
    for epoch in epochs:
        panel.axvline(epoch - 0.5, color=FAINT, linewidth=1, linestyle=":", zorder=0)
