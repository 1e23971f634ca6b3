"""One page that needs nothing else: a sortable table, curves, cells, what to doubt."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import Any

from ltnas import __version__
from ltnas.reports import paper
from ltnas.reports.curves import curve
from ltnas.reports.formats import columns
from ltnas.reports.rows import Row
from ltnas.reports.runs import Run

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


DRAWN = 60
"""Rows whose cells are on the page; each takes some hundred kilobytes of it."""


def page(rows: list[Row], runs: list[Run], doubtful: list[str]) -> str:
    """The page as HTML; the data of its table and curves are in it as JSON."""
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    data = json.dumps(
        {
            "headings": [
                {"name": name, "number": name in (*SORTED_BY, "seeds", "paper")}
                for name in columns()
            ],
            "rows": [row_data(row, index < DRAWN) for index, row in enumerate(rows)],
        },
        ensure_ascii=False,
    ).replace("</", "<\\/")  # a name must not end the script
    finished = sum(run.state == "finished" for run in runs)
    return (
        template.replace("{{summary}}", f"{len(runs)} runs, {finished} finished")
        .replace("{{version}}", html.escape(__version__))
        .replace("{{doubts}}", items(doubtful, "doubts", "What to doubt"))
        .replace("{{unfinished}}", items(unfinished(runs), "unfinished", "Not in the table"))
        .replace("{{paper}}", paper.sections(rows, runs))
        .replace("{{data}}", data)
    )


def unfinished(runs: list[Run]) -> list[str]:
    """A line for each run that is not finished."""
    return [
        f"{run.folder.name}: {run.state}{f' ({run.reason})' if run.reason else ''}"
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
    """What the page knows of a row: texts, sort keys, curve, cells, commands."""
    texts = {name: cell(row) for name, cell in columns().items()}
    keys: dict[str, Any] = {name: row.mean(key) for name, key in SORTED_BY.items()}
    keys |= {"seeds": len(row.runs), "paper": row.published}
    return {
        "name": f"{texts['scheme']} · {row.imbalance}",
        "cells": list(texts.values()),
        "keys": [keys.get(name, text) for name, text in texts.items()],
        "curve": curve([run.folder for run in row.runs], "accuracy_balanced"),
        "drawing": drawing(row.runs[0].folder / "cells.svg") if drawn else "",
        "weights": drawing(row.searches[0].folder / "architecture.png")
        if drawn and row.searches
        else "",
        "commands": [run.metrics["provenance"]["command"] for run in row.runs],
    }


def drawing(path: Path) -> str:
    """A drawing as a data URL, whose names and styles stay its own; empty if there is none."""
    kind = {"svg": "svg+xml", "png": "png"}[path.name.rpartition(".")[2]]
    try:
        return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return ""
