"""The HTML page, a single file: a sortable table, learning curves, cells, and caveats."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ltnas import __version__
from ltnas.plots import pruning
from ltnas.reports import paper, published
from ltnas.reports.classes import class_results
from ltnas.reports.columns import Column, all_balanced, columns
from ltnas.reports.curves import curve
from ltnas.reports.learners import learners
from ltnas.reports.row import Row
from ltnas.reports.runs import Run
from ltnas.reports.selections import selection
from ltnas.reports.weights import mixing_weights

Curves = dict[str, Callable[[Row], str]]
"""Title of each learning curve -> function that returns the column of a row's histories."""
DRAWN = 60
"""Number of rows with drawings of cells and results by class; each adds a few hundred kilobytes."""


def page(rows: list[Row], runs: list[Run], caveats: list[str]) -> str:
    """Return the page as HTML, with the data of its table and curves embedded as JSON.

    Args:
        rows: rows of the table.
        runs: all runs, whether finished or not.
        caveats: lines for the list of caveats at the top.
    """
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    states = Counter(run.state for run in runs)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    parts = {
        "summary": f"{len(runs)} runs, {counts}",
        "version": html.escape(__version__),
        "caveats": items(caveats, "caveats", "Caveats"),
        "unfinished": items(unfinished(runs), "unfinished", "Runs without a result"),
        "paper": paper.sections(rows, runs),
        "source": html.escape(published.SOURCE),
        "data": data(rows, runs),
    }
    # All in one pass, so that braces in the text of one part are never replaced by another.
    return re.sub(r"\{\{(\w+)\}\}", lambda placeholder: parts[placeholder[1]], template)


def data(rows: list[Row], runs: list[Run]) -> str:
    """Return the data of the page's script as JSON without `<`, so that it holds no HTML tags."""
    shown, curves = columns(rows), learning_curves(rows)
    content = {
        "headings": [{"name": column.heading, "number": column.is_number} for column in shown],
        "quantities": list(curves),
        "rows": [row_data(row, shown, curves, index < DRAWN) for index, row in enumerate(rows)],
        "searches": searches_alone(rows, runs),
        "classes": class_results(rows[:DRAWN]),
    }
    # `</script>` in a name would end the script; \u003c is the same character in JSON.
    return json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def learning_curves(rows: list[Row]) -> Curves:
    """Return the learning curves of a page with these rows."""
    is_balanced = all_balanced(rows)
    accuracy = "accuracy, balanced test set, %" if is_balanced else "class-balanced accuracy, %"
    few = "balanced test set" if is_balanced else "all test images"
    return {
        accuracy: lambda row: row.headline,
        f"few-shot accuracy, {few}, %": lambda row: row.on_all("few"),
        "accuracy, long-tailed test set, %": lambda row: "accuracy_long_tailed",
        "training loss": lambda row: "train_loss",
    }


def unfinished(runs: list[Run]) -> list[str]:
    """Return one line for each run that is not finished, with its state and the reason."""
    return [
        f"{run.name}: {run.state}{f' ({run.reason})' if run.reason else ''}"
        for run in runs
        if run.state != "finished"
    ]


def items(lines: list[str], name: str, title: str) -> str:
    """Return a section of the page with a list, or empty text if there are no lines."""
    if not lines:
        return ""
    entries = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<section class="{name}"><h2>{title}</h2><ul>{entries}</ul></section>'


def row_data(row: Row, columns: list[Column], curves: Curves, drawn: bool) -> dict[str, Any]:
    """Return the data of a row: texts, sort keys, curves, cells and commands.

    Args:
        row: row of the table.
        columns: columns of the table.
        curves: learning curves of the page.
        drawn: include the drawing of its cells and its mixing weights.
    """
    folders = [run.folder for run in row.runs]
    return {
        "name": f"{row.name} · {row.imbalance}",
        "seed": row.runs[0].metrics["seed"],
        "cells": [column.text(row) for column in columns],
        "keys": [column.sort_key(row) for column in columns],
        "curves": [curve(folders, column(row)) for column in curves.values()],
        **(architecture(row.runs[0], next(iter(row.searches), None)) if drawn else {}),
        "commands": [run.metrics["provenance"]["command"] for run in row.runs],
    }


def searches_alone(rows: list[Row], runs: list[Run]) -> list[dict[str, Any]]:
    """Return cells, mixing weights and commands of the searches that no row was trained from."""
    used = {search.folder for row in rows for search in row.searches}
    groups = paper.named_searches([run for run in runs if run.folder not in used])
    return [
        {
            "name": f"{name} · search only",
            "seed": members[0].metrics["seed"],
            **architecture(members[0], members[0]),
            "commands": [run.metrics["provenance"]["command"] for run in members],
        }
        for name, members in list(groups.items())[:DRAWN]
    ]


def architecture(run: Run, search: Run | None) -> dict[str, Any]:
    """Return the cells of a run, and what the search before it has recorded of their choice."""
    return {
        "drawing": picture(run.folder / "cells.svg", "svg+xml"),
        "operations": paper.operations(run),
        "weights": mixing_weights(search.folder) if search else None,
        "learners": learners(search.folder) if search else [],
        "pruning": picture(search.folder / pruning.FILE, "png") if search else "",
        "selection": selection(search.folder) if search else None,
    }


def picture(path: Path, kind: str) -> str:
    """Return an image file as a data URL, or empty text if the file cannot be read.

    As an image the ids and styles of an SVG file cannot affect the page.

    Args:
        path: image file.
        kind: subtype of its media type, such as `png`.
    """
    try:
        return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return ""
