"""Predictions as a CSV file and as a table on a terminal."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import TextIO

from rich.table import Table
from rich.text import Text

from ltnas.deployment.prediction import Prediction


def columns(top: int) -> list[str]:
    """Return the names of the columns of the CSV file.

    Args:
        top: number of classes of a prediction.
    """
    further = [f"{key}_{place}" for place in range(2, top + 1) for key in ("class", "probability")]
    return ["path", "class", "probability", *further, "error"]


def write_csv(file: TextIO, predictions: Iterable[Prediction], top: int) -> Iterator[Prediction]:
    """Write each prediction as a row of a CSV file, and yield it.

    Args:
        file: open text file.
        predictions: predictions.
        top: number of classes of a prediction.
    """
    names = columns(top)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    for one in predictions:
        pairs = zip(one.classes, (f"{value:.6f}" for value in one.probabilities), strict=True)
        values = [one.path, *(value for pair in pairs for value in pair)]
        # A file that cannot be read has no classes.
        empty = [""] * (len(names) - 1 - len(values))
        writer.writerow([*values, *empty, one.error])
        yield one


def prediction_table(predictions: Iterable[Prediction]) -> Table:
    """Return a table of the predictions that have no error; long paths lose their beginning."""
    table = Table(box=None, pad_edge=False)
    table.add_column("image", no_wrap=True)
    table.add_column("class", max_width=18, no_wrap=True)
    table.add_column("%", justify="right", no_wrap=True)
    table.add_column("then", overflow="fold")
    for one in predictions:
        if one.error:
            continue
        further = zip(one.classes[1:], one.probabilities[1:], strict=True)
        table.add_row(
            Text(shortened(one.path, 32)),
            Text(one.classes[0]),
            f"{100 * one.probabilities[0]:.1f}",
            Text(", ".join(f"{name} {100 * value:.1f}" for name, value in further)),
        )
    return table


def shortened(path: str, width: int) -> str:
    """Return the end of a path that fits into a number of characters."""
    return path if len(path) <= width else f"...{path[3 - width :]}"
