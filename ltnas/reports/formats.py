"""Tables of rows and runs as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re

from ltnas.data.test_sets import BALANCED
from ltnas.reports.columns import cells, columns
from ltnas.reports.row import Row
from ltnas.reports.runs import Run


def in_markdown(text: str) -> str:
    """Return text so that Markdown shows it as it is, in one line."""
    special = r"[\\`*\[\]<>|~]|(?<!\w)_|_(?!\w)"  # _ within a word is not special
    return re.sub(special, r"\\\g<0>", " ".join(text.split()))


def markdown(rows: list[Row]) -> str:
    """Return the rows as a Markdown table, with numbers aligned to the right."""
    shown = columns(rows)
    head, *body = [[in_markdown(cell) for cell in line] for line in cells(rows, shown)]
    rule = ["---:" if column.is_number else "---" for column in shown]
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

    shown = columns(rows)
    head, *body = cells(rows, shown)
    alignment = "".join("r" if column.is_number else "l" for column in shown)
    return (
        "\n".join(
            [
                rf"\begin{{tabular}}{{{alignment}}}",
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
            [row.scheme, row.label, row.imbalance, len(row.runs), row.published_accuracy, *values]
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
