"""Columns of the histories of runs, as curves over epochs."""

from __future__ import annotations

import csv
import math
import re
import statistics
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from ltnas.data.test_sets import BALANCED, UNBALANCED


def curve(folders: Sequence[Path], column: str) -> list[float]:
    """Return the mean of a column for each epoch, over the runs that have reached the epoch."""
    histories = [history(folder / "history.csv", column) for folder in folders]
    longest = max((len(values) for values in histories), default=0)
    return [
        round(statistics.mean(values[epoch] for values in histories if len(values) > epoch), 4)
        for epoch in range(longest)
    ]


def history(path: Path, column: str) -> list[float]:
    """Return a column of a history up to its first value that is not finite.

    An epoch without a test has the value of the last test before it, or of the first one. The list
    is empty if the file cannot be read or an entry is not a number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = csv.DictReader(file)
            if column not in (lines.fieldnames or ()):  # version 0.1.0 called each test balanced
                column = re.sub(f"_{UNBALANCED}$", f"_{BALANCED}", column)
            entries = [line[column] for line in lines]
            values, latest = [], next(filter(None, entries), "")
            for entry in entries:
                latest = entry or latest
                values.append(float(latest))
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []
    # A run that diverges has NaN from some epoch on, which JSON cannot hold.
    return list(takewhile(math.isfinite, values))
