"""One page that needs nothing else: a sortable table, curves, cells, what to doubt."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from ltnas import __version__
from ltnas.reports import paper
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
"""Columns that are sorted by a number, and which."""
CURVES = {
    "accuracy, balanced test set, %": "accuracy_balanced",
    "few-shot accuracy, balanced test set, %": "few_balanced",
    "accuracy, long-tailed test set, %": "accuracy_long_tailed",
    "training loss": "train_loss",
}
"""Columns of a training's history that the page draws."""
DRAWN = 60
"""Rows whose cells are on the page; each takes some hundred kilobytes of it."""


def page(rows: list[Row], runs: list[Run], doubtful: list[str]) -> str:
    """The page as HTML; the data of its table and curves are in it as JSON."""
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    states = Counter(run.state for run in runs)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    parts = {
        "summary": f"{len(runs)} runs, {counts}",
        "version": html.escape(__version__),
        "doubts": items(doubtful, "doubts", "What to doubt"),
        "unfinished": items(unfinished(runs), "unfinished", "Not in the table"),
        "paper": paper.sections(rows, runs),
        "data": data(rows, runs),
    }
    # In one pass: what a part says of itself is no place for another.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def data(rows: list[Row], runs: list[Run]) -> str:
    """What the page's script draws, as JSON that cannot end or begin a tag."""
    numbers = (*SORTED_BY, "seeds", "paper")
    found = {
        "headings": [{"name": name, "number": name in numbers} for name in columns()],
        "quantities": list(CURVES),
        "rows": [row_data(row, index < DRAWN) for index, row in enumerate(rows)],
        "searches": searches_alone(rows, runs),
    }
    return json.dumps(found, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def unfinished(runs: list[Run]) -> list[str]:
    """A line for each run that is not finished."""
    return [
        f"{run.name}: {run.state}{f' ({run.reason})' if run.reason else ''}"
        for run in runs
        if run.state != "finished"
    ]


def items(lines: list[str], name: str, title: str) -> str:
    """A section with a list; nothing if there are no lines."""
    if not lines:
        return ""
    entries = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<section class="{name}"><h2>{title}</h2><ul>{entries}</ul></section>'


def row_data(row: Row, drawn: bool) -> dict[str, Any]:
    """What the page knows of a row: texts, sort keys, curves, cells, commands."""
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
    """Searches that no training in the table has come from: cells, weights, commands."""
    used = {search.folder for row in rows for search in row.searches}
    groups = paper.named_searches([run for run in runs if run.folder not in used])
    return [
        {
            "name": f"{name} · search alone",
            "seed": members[0].metrics["seed"],
            **architecture(members[0], members[0]),
            "commands": [run.metrics["provenance"]["command"] for run in members],
        }
        for name, members in list(groups.items())[:DRAWN]
    ]


def architecture(run: Run, search: Run | None) -> dict[str, Any]:
    """The cells of a run, and the mixing weights of the search that has found them."""
    return {
        "drawing": drawing(run.folder / "cells.svg"),
        "operations": paper.operations(run),
        "weights": mixing_weights(search.folder) if search else None,
    }


def drawing(path: Path) -> str:
    """An SVG file as a data URL, whose names and styles stay its own; empty if there is none."""
    try:
        return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return ""
