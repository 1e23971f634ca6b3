"""Tables of rows and runs as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

from ltnas.reports.rows import Row
from ltnas.reports.runs import Run
from ltnas.reports.units import duration, millions

Cell = Callable[[Row], str]
"""Function that returns the text of a row in one column."""


def percent(row: Row, key: str, plus_minus: str = "±") -> str:
    """Return mean and standard deviation over seeds in per cent; - if they are not known."""
    mean, deviation = row.mean(key), row.deviation(key)
    if mean is None:
        return "-"
    tail = "" if deviation is None else f" {plus_minus} {100 * deviation:.2f}"
    return f"{100 * mean:.2f}{tail}"


def columns(plus_minus: str = "±") -> dict[str, Cell]:
    """Return the columns of the table: heading -> function that returns a row's text."""
    return {
        "scheme": lambda row: row.name,
        "imbalance": lambda row: row.imbalance,
        "seeds": lambda row: str(len(row.runs)),
        "balanced": lambda row: percent(row, "accuracy_balanced", plus_minus),
        "paper": lambda row: "-" if row.published is None else f"{100 * row.published:.2f}",
        "many": lambda row: percent(row, "many_balanced", plus_minus),
        "medium": lambda row: percent(row, "medium_balanced", plus_minus),
        "few": lambda row: percent(row, "few_balanced", plus_minus),
        "long-tailed": lambda row: percent(row, "accuracy_long_tailed", plus_minus),
        "parameters, M": lambda row: millions(row.mean("parameters")),
        "MACs, M": lambda row: millions(row.mean("multiply_accumulates")),
        "search": lambda row: duration(row.mean("search_seconds")),
        "training": lambda row: duration(row.mean("seconds")),
        "memory, GiB": lambda row: f"{row.mean('peak_memory_gib') or 0:.2f}",
    }


def cells(rows: list[Row], plus_minus: str = "±") -> list[list[str]]:
    """Return the headings and then the texts of each row."""
    texts = columns(plus_minus)
    return [list(texts), *([text(row) for text in texts.values()] for row in rows)]


def markdown(rows: list[Row]) -> str:
    """Return the rows as a Markdown table, with numbers aligned to the right."""
    # A bar in a cell would start a new column.
    head, *body = [[cell.replace("|", "\\|") for cell in line] for line in cells(rows)]
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body)) + "\n"


def latex(rows: list[Row]) -> str:
    """Return the rows as a LaTeX tabular that needs the booktabs package."""

    def line(texts: list[str]) -> str:
        escaped = [re.sub(r"[_%&#{}]", r"\\\g<0>", text) for text in texts]
        return " & ".join(escaped) + r" \\"

    head, *body = cells(rows, r"$\pm$")
    return (
        "\n".join(
            [
                rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}",
                *(r"\toprule", line(head), r"\midrule", *map(line, body), r"\bottomrule"),
                r"\end{tabular}",
            ]
        )
        + "\n"
    )


def rows_csv(rows: list[Row]) -> str:
    """Return the rows as CSV for other programs.

    Every number has two columns, mean and standard deviation over seeds; unknown ones are empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    # All rows have the same numbers, those that `rows` averages over seeds.
    keys = list(rows[0].values) if rows else []
    numbers = [f"{key}_{kind}" for key in keys for kind in ("mean", "deviation")]
    writer.writerow(["scheme", "label", "imbalance", "seeds", "paper", *numbers])
    for row in rows:
        values = [number for key in keys for number in (row.mean(key), row.deviation(key))]
        writer.writerow(
            [row.scheme, row.label, row.imbalance, len(row.runs), row.published, *values]
        )
    return text.getvalue()


def runs_csv(runs: list[Run]) -> str:
    """Return all runs with their states as CSV for other programs, one line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    identity = ("folder", "kind", "state", "scheme", "imbalance", "seed")
    scores = ("accuracy", "many", "medium", "few", "macro_f1", "calibration_error")
    costs = ("parameters", "multiply_accumulates", "seconds", "peak_memory_gib")
    writer.writerow([*identity, *scores, *costs, "commit", "reason"])
    for run in runs:
        test = run.metrics.get("test", {}).get("balanced", {})
        writer.writerow(
            [
                *(run.folder, run.kind, run.state),
                *(run.metrics.get(key, "") for key in ("scheme", "imbalance", "seed")),
                *(test.get(key, "") for key in scores),
                *(run.metrics.get(key, "") for key in costs),
                run.metrics.get("provenance", {}).get("commit", ""),
                run.reason,
            ]
        )
    return text.getvalue()
