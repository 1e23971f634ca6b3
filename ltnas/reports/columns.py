"""Columns of the table of rows, which all formats of a report share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ltnas.data.test_sets import BALANCED
from ltnas.reports.row import Row
from ltnas.runs.units import duration, millions

SortKey = str | float | None
"""Value that a column is sorted by; None if it is not known."""


@dataclass(frozen=True)
class Column:
    """Column of a table of rows.

    Args:
        heading: heading of the column.
        text: function that returns the text of a row.
        sort_key: function that returns the value that a row is sorted by.
        on_terminal: True if the column is printed on a terminal, which has no room for all.
        is_number: True if the texts are numbers, which are aligned to the right.
    """

    heading: str
    text: Callable[[Row], str]
    sort_key: Callable[[Row], SortKey]
    on_terminal: bool = False
    is_number: bool = True


def columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns of a table of rows; the texts are the first, before the numbers.

    If not all test splits are balanced, the first accuracy is called class-balanced, and accuracy
    on all test images has a column of its own.
    """
    is_balanced = all_balanced(rows)
    main = "balanced" if is_balanced else "class-balanced"
    on_all = _score("test", lambda row: row.on_all("accuracy"))
    # Its images are as unbalanced as those of the training.
    validation = _score("validation", lambda row: "macro_accuracy_validation")
    is_validated = any(row.mean("macro_accuracy_validation") is not None for row in rows)
    return [
        _text("scheme", lambda row: row.name),
        _text("imbalance", lambda row: row.imbalance),
        Column("seeds", lambda row: str(len(row.runs)), lambda row: len(row.runs), True),
        _score(main, lambda row: row.headline, on_terminal=True),
        Column("paper", _published, lambda row: row.published_accuracy, True),
        _score("many", lambda row: row.on_all("many")),
        _score("medium", lambda row: row.on_all("medium")),
        _score("few", lambda row: row.on_all("few"), on_terminal=True),
        *([] if is_balanced else [on_all]),
        _score("long-tailed", lambda row: "accuracy_long_tailed"),
        *([validation] if is_validated else []),
        _cost("parameters, M", "parameters", millions),
        _cost("MACs, M", "multiply_accumulates", millions),
        _cost("search", "search_seconds", duration),
        _cost("training", "seconds", duration),
        _cost("memory, GiB", "peak_memory_gib", lambda mean: f"{mean or 0:.2f}"),
    ]


def _text(heading: str, text: Callable[[Row], str]) -> Column:
    return Column(heading, text, text, on_terminal=True, is_number=False)


def _score(heading: str, key: Callable[[Row], str], on_terminal: bool = False) -> Column:
    """Return a column of a score in [0, 1], shown in per cent.

    Args:
        heading: heading of the column.
        key: function that returns the key of the score among the values of a row.
        on_terminal: see `Column`.
    """
    return Column(
        heading, lambda row: percent(row, key(row)), lambda row: row.mean(key(row)), on_terminal
    )


def _cost(heading: str, key: str, text: Callable[[float | None], str]) -> Column:
    """Return a column of a cost, of which the mean over seeds is shown."""
    return Column(heading, lambda row: text(row.mean(key)), lambda row: row.mean(key))


def percent(row: Row, key: str) -> str:
    """Return mean and standard deviation over seeds in per cent; - if they are not known."""
    mean, deviation = row.mean(key), row.deviation(key)
    if mean is None:
        return "-"
    tail = "" if deviation is None else f" ± {100 * deviation:.2f}"
    return f"{100 * mean:.2f}{tail}"


def _published(row: Row) -> str:
    return "-" if row.published_accuracy is None else f"{100 * row.published_accuracy:.2f}"


def all_balanced(rows: Sequence[Row]) -> bool:
    """Return True if the test images of all rows are balanced."""
    return all(row.tests == BALANCED for row in rows)


def cells(rows: Sequence[Row], shown: Sequence[Column]) -> list[list[str]]:
    """Return the headings and then the texts of each row, in the columns that are shown."""
    return [
        [column.heading for column in shown],
        *([column.text(row) for column in shown] for row in rows),
    ]
