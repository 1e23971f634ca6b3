"""Rows as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

from ltnas.reports.rows import Row
from ltnas.reports.runs import Run

Cell = Callable[[Row], str]


def percent(row: Row, key: str, plus_minus: str = "±") -> str:
    """Mean and deviation over seeds in per cent; - if it is not known."""
    mean, deviation = row.mean(key), row.deviation(key)
    if mean is None:
        return "-"
    tail = "" if deviation is None else f" {plus_minus} {100 * deviation:.2f}"
    return f"{100 * mean:.2f}{tail}"


def duration(seconds: float | None) -> str:
    """`1 h 05 min`, `5.2 min`, `12 s`."""
    if seconds is None:
        return "-"
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def millions(value: float | None) -> str:
    """In millions."""
    return "-" if value is None else f"{value / 1e6:.2f}"


def columns(plus_minus: str = "±") -> dict[str, Cell]:
    """Headings, and what stands under them."""
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
    """Headings, then a list for each row."""
    made = columns(plus_minus)
    return [list(made), *([cell(row) for cell in made.values()] for row in rows)]


def markdown(rows: list[Row]) -> str:
    """A table; numbers to the right."""
    head, *body = [[cell.replace("|", "\\|") for cell in line] for line in cells(rows)]
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body)) + "\n"


def latex(rows: list[Row]) -> str:
    """A tabular for booktabs."""

    def line(found: list[str]) -> str:
        escaped = [re.sub(r"[_%&#{}]", r"\\\g<0>", cell) for cell in found]
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
    """The table for other programs: of every number mean and deviation, empty if not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    keys = list(rows[0].values) if rows else []
    numbers = [f"{key}_{kind}" for key in keys for kind in ("mean", "deviation")]
    writer.writerow(["scheme", "label", "imbalance", "seeds", "paper", *numbers])
    for row in rows:
        found = [number for key in keys for number in (row.mean(key), row.deviation(key))]
        writer.writerow(
            [row.scheme, row.label, row.imbalance, len(row.runs), row.published, *found]
        )
    return text.getvalue()


def runs_csv(runs: list[Run]) -> str:
    """Every run with its state, a line each, for other programs."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    tested = ("accuracy", "many", "medium", "few", "macro_f1", "calibration_error")
    costs = ("parameters", "multiply_accumulates", "seconds", "peak_memory_gib")
    which = ("folder", "kind", "state", "scheme", "imbalance", "seed")
    writer.writerow([*which, *tested, *costs, "commit", "reason"])
    for run in runs:
        test = run.metrics.get("test", {}).get("balanced", {})
        writer.writerow(
            [
                *(run.folder, run.kind, run.state),
                *(run.metrics.get(key, "") for key in ("scheme", "imbalance", "seed")),
                *(test.get(key, "") for key in tested),
                *(run.metrics.get(key, "") for key in costs),
                run.metrics.get("provenance", {}).get("commit", ""),
                run.reason,
            ]
        )
    return text.getvalue()
