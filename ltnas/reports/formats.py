"""Tables of rows and runs as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

from ltnas.data.test_sets import BALANCED
from ltnas.reports.row import Row
from ltnas.reports.runs import Run
from ltnas.reports.units import duration, millions

Cell = Callable[[Row], str]
"""Function that returns the text of a row in one column."""


def percent(row: Row, key: str) -> str:
    """Return mean and standard deviation over seeds in per cent; - if they are not known."""
    mean, deviation = row.mean(key), row.deviation(key)
    if mean is None:
        return "-"
    tail = "" if deviation is None else f" ± {100 * deviation:.2f}"
    return f"{100 * mean:.2f}{tail}"


def columns(rows: list[Row]) -> dict[str, Cell]:
    """Return the columns of a table of rows: heading -> function that returns a row's text.

    If not all test splits are balanced, the first number is called class-balanced, and accuracy on
    all test images has a column of its own.
    """
    accuracy: dict[str, Cell] = {"test": lambda row: percent(row, row.on_all("accuracy"))}
    return {
        "scheme": lambda row: row.name,
        "imbalance": lambda row: row.imbalance,
        "seeds": lambda row: str(len(row.runs)),
        main_heading(rows): lambda row: percent(row, row.headline),
        "paper": lambda row: "-" if row.published is None else f"{100 * row.published:.2f}",
        "many": lambda row: percent(row, row.on_all("many")),
        "medium": lambda row: percent(row, row.on_all("medium")),
        "few": lambda row: percent(row, row.on_all("few")),
        **({} if all_balanced(rows) else accuracy),
        "long-tailed": lambda row: percent(row, "accuracy_long_tailed"),
        "parameters, M": lambda row: millions(row.mean("parameters")),
        "MACs, M": lambda row: millions(row.mean("multiply_accumulates")),
        "search": lambda row: duration(row.mean("search_seconds")),
        "training": lambda row: duration(row.mean("seconds")),
        "memory, GiB": lambda row: f"{row.mean('peak_memory_gib') or 0:.2f}",
    }


def main_heading(rows: list[Row]) -> str:
    """Return the heading of the number that rows are ranked by."""
    return "balanced" if all_balanced(rows) else "class-balanced"


def all_balanced(rows: list[Row]) -> bool:
    """Return True if the test images of all rows are balanced."""
    return all(row.tests == BALANCED for row in rows)


def cells(rows: list[Row]) -> list[list[str]]:
    """Return the headings and then the texts of each row."""
    texts = columns(rows)
    return [list(texts), *([text(row) for text in texts.values()] for row in rows)]


def in_markdown(text: str) -> str:
    """Return text so that Markdown shows it as it is, in one line."""
    special = r"[\\`*\[\]<>|~]|(?<!\w)_|_(?!\w)"  # _ within a word is not special
    return re.sub(special, r"\\\g<0>", " ".join(text.split()))


def markdown(rows: list[Row]) -> str:
    """Return the rows as a Markdown table, with numbers aligned to the right."""
    head, *body = [[in_markdown(cell) for cell in line] for line in cells(rows)]
    rule = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *body)) + "\n"


LATEX = {
    **{character: f"\\{character}" for character in "_%&#{}$"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$"},
}
"""Characters that mean something else in LaTeX, and what shows them."""


def in_latex(text: str) -> str:
    """Return text so that LaTeX shows it as it is, in one line."""
    shown = "".join(LATEX.get(character, character) for character in " ".join(text.split()))
    # At the start of a line, LaTeX would take [ for an option of the command before.
    return f"{{}}{shown}" if shown.startswith("[") else shown


def latex(rows: list[Row]) -> str:
    """Return the rows as a LaTeX tabular that needs the booktabs package."""

    def line(texts: list[str]) -> str:
        return " & ".join(map(in_latex, texts)) + r" \\"

    head, *body = cells(rows)
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
    keys = list(dict.fromkeys(key for row in rows for key in row.values))
    numbers = [f"{key}_{kind}" for key in keys for kind in ("mean", "deviation")]
    writer.writerow(["scheme", "label", "imbalance", "seeds", "paper", *numbers])
    for row in rows:
        values = [number for key in keys for number in (row.mean(key), row.deviation(key))]
        writer.writerow(
            [row.scheme, row.label, row.imbalance, len(row.runs), row.published, *values]
        )
    return text.getvalue()


def runs_csv(runs: list[Run]) -> str:
    """Return all runs with their states as CSV for other programs, one line each.

    If not all test splits are balanced, the name of the test set and macro accuracy are added.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    identity = ["folder", "kind", "state", "scheme", "imbalance", "seed"]
    scores = ["accuracy", "many", "medium", "few", "macro_f1", "calibration_error"]
    if any(run.tests != BALANCED for run in runs):
        identity, scores = [*identity, "test"], ["macro_accuracy", *scores]
    costs = ("parameters", "multiply_accumulates", "seconds", "peak_memory_gib")
    writer.writerow([*identity, *scores, *costs, "commit", "reason"])
    for run in runs:
        test = run.metrics.get("test", {}).get(run.tests, {})
        facts = run.metrics | {"test": run.tests if run.metrics else ""}
        writer.writerow(
            [
                *(run.folder, run.kind, run.state),
                *(facts.get(key, "") for key in identity[3:]),
                *(test.get(key, "") for key in scores),
                *(run.metrics.get(key, "") for key in costs),
                run.metrics.get("provenance", {}).get("commit", ""),
                run.reason,
            ]
        )
    return text.getvalue()
