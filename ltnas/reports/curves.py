"""Columns of histories, by epoch."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path


def curve(folders: Sequence[Path], column: str) -> list[float]:
    """A column of histories, mean over the runs that went that far."""
    histories = [history(folder / "history.csv", column) for folder in folders]
    longest = max((len(found) for found in histories), default=0)
    return [
        round(statistics.mean(found[epoch] for found in histories if len(found) > epoch), 4)
        for epoch in range(longest)
    ]


def history(path: Path, column: str) -> list[float]:
    """A column of a run's history as far as it has numbers; empty if it cannot be read."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            found = [float(line[column]) for line in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []
    return list(takewhile(math.isfinite, found))
