"""The HTML page, a single file: a sortable table, learning curves, cells, and caveats."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from ltnas import __version__
from ltnas.reports import paper, published
from ltnas.reports.curves import curve
from ltnas.reports.formats import columns
from ltnas.reports.rows import Row
from ltnas.reports.runs import Run
from ltnas.reports.weights import mixing_weights

SORTED_BY = {
    "balanced": "accuracy_balanced",
    "many": "many_balanced",
    "medium": "medium_balanced",
    "few": "few_balanced",
    "long-tailed": "accuracy_long_tailed",
    "parameters, M": "parameters",
    "MACs, M": "multiply_accumulates",
    "search": "search_seconds",
    "training": "seconds",
    "memory, GiB": "peak_memory_gib",
}
"""Column of the table -> number of a row that it is sorted by; other columns sort by text."""
CURVES = {
    "accuracy, balanced test set, %": "accuracy_balanced",
    "few-shot accuracy, balanced test set, %": "few_balanced",
    "accuracy, long-tailed test set, %": "accuracy_long_tailed",
    "training loss": "train_loss",
}
"""Title of each learning curve -> column of the history that it shows."""
DRAWN = 60
"""Number of rows whose cells are drawn; each adds a few hundred kilobytes to the page."""


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
    numbers = (*SORTED_BY, "seeds", "paper")
    content = {
        "headings": [{"name": name, "number": name in numbers} for name in columns()],
        "quantities": list(CURVES),
        "rows": [row_data(row, index < DRAWN) for index, row in enumerate(rows)],
        "searches": searches_alone(rows, runs),
    }
    # `</script>` in a name would end the script; \u003c is the same character in JSON.
    return json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


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


def row_data(row: Row, drawn: bool) -> dict[str, Any]:
    """Return the data of a row: texts, sort keys, curves, cells and commands.

    Args:
        row: row of the table.
        drawn: include the drawing of its cells and its mixing weights.
    """
    texts = {name: cell(row) for name, cell in columns().items()}
    keys: dict[str, Any] = {name: row.mean(key) for name, key in SORTED_BY.items()}
    keys |= {"seeds": len(row.runs), "paper": row.published}
    folders = [run.folder for run in row.runs]
    return {
        "name": f"{row.name} · {row.imbalance}",
        "seed": row.runs[0].metrics["seed"],
        "cells": list(texts.values()),
        "keys": [keys.get(name, text) for name, text in texts.items()],
        "curves": [curve(folders, column) for column in CURVES.values()],
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
    """Return the cells of a run and the mixing weights of the search that they come from."""
    return {
        "drawing": drawing(run.folder / "cells.svg"),
        "operations": paper.operations(run),
        "weights": mixing_weights(search.folder) if search else None,
    }


def drawing(path: Path) -> str:
    """Return an SVG file as a data URL, or empty text if the file cannot be read.

    As an image its ids and styles cannot affect the page.
    """
    try:
        return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return ""
