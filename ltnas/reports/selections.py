"""Candidates that a selection has compared and their scores, as the page shows them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ltnas.errors import UserError
from ltnas.plots.cells import TITLES
from ltnas.reports.paper import counted_operations
from ltnas.space.genotype import parse_genotype

MOST = 20
"""Largest number of candidates of a decision that are shown; the others are counted."""
COMPARED = ("accuracy", "loss", "final_accuracy")
"""Scores of a selection that measures genotypes, see `ltnas.training.evaluated_selection`."""
Record = dict[str, Any]


def selection(folder: Path) -> dict[str, Any] | None:
    """Return the decisions of a search, or None if it has no selection.json that can be read.

    Args:
        folder: run folder of the search.

    Returns:
        `fields`: headings of a table of candidates; `decisions`: for each decision its `name`, the
        number of its candidates (`count`), and `rows` of the best candidates at most, each with
        its `texts` and whether it was `kept`.
    """
    try:
        records = json.loads((folder / "selection.json").read_text(encoding="utf-8"))
        if "genotype" not in records[0]:
            return _by_removal(records)
        found = json.loads((folder / "genotype.json").read_text(encoding="utf-8"))
        return _of_genotypes(records, found)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, UserError):
        return None


def _of_genotypes(records: list[Record], found: Record) -> dict[str, Any]:
    """Return the single decision between genotypes.

    Args:
        records: genotypes with their scores.
        found: content of the genotype.json of the run.
    """
    scores = [name for name in records[0] if name not in ("candidate", "genotype")]
    # The accuracy on all images, which only finalists have, decides before that on few of them.
    order = ["final_accuracy", "accuracy"] if "final_accuracy" in scores else scores
    ranked = sorted(records, key=lambda record: [_rank(record[name]) for name in order])
    rows = [
        {
            "texts": [
                str(record["candidate"] + 1),
                *(_text(record[name], name) for name in scores),
                _operations(record["genotype"]),
            ],
            "kept": record["genotype"].items() <= found.items(),
        }
        for record in ranked[:MOST]
    ]
    fields = ["candidate", *(_heading(name) for name in scores), "operations"]
    return {
        "fields": fields,
        "decisions": [{"name": "genotypes", "count": len(records), "rows": rows}],
    }


def _by_removal(records: list[Record]) -> dict[str, Any]:
    """Return the decisions on operations of edges, and those on edges of nodes after them."""
    decisions: dict[str, list[Record]] = {}
    operations = set()
    for record in records:
        cell, node, source = TITLES[record["cell"]], record["node"], record["source"]
        candidate = (cell, node, source, record["operation"])
        # The operation that an edge keeps is a candidate again when its node keeps edges.
        again = candidate in operations
        operations.add(candidate)
        name = f"{cell}, edges into node {node}" if again else f"{cell}, edge {source} → {node}"
        decisions.setdefault(name, []).append(record)
    return {
        "fields": ["edge", "operation", "accuracy without, %", "loss without"],
        "decisions": [
            {"name": name, "count": len(members), "rows": _removed(members)}
            for name, members in decisions.items()
        ],
    }


def _removed(records: list[Record]) -> list[dict[str, Any]]:
    """Return rows of the candidates of a decision, first those that are missed most."""
    ranked = sorted(
        records, key=lambda record: (record["accuracy_without"], -record["loss_without"])
    )
    return [
        {
            "texts": [
                f"{record['source']} → {record['node']}",
                record["operation"].replace("_", " "),
                _text(record["accuracy_without"], "accuracy"),
                _text(record["loss_without"], "loss"),
            ],
            "kept": record["kept"],
        }
        for record in ranked[:MOST]
    ]


def _operations(genotype: Record) -> str:
    """Return the counted operations of each cell of a genotype in the form of JSON."""
    counted = counted_operations(parse_genotype(genotype, "selection.json"))
    return "; ".join(f"{TITLES[kind]}: {text}" for kind, text in counted.items())


def _heading(score: str) -> str:
    """Return the heading of a score."""
    name = score.replace("_", " ").replace("final accuracy", "accuracy on all images")
    return f"{name}, %" if score in COMPARED and "accuracy" in score else name


def _text(value: float | None, score: str) -> str:
    """Return a score as text; accuracies are given in per cent."""
    if value is None or not math.isfinite(value):
        return "-"
    if "accuracy" in score:
        return f"{100 * value:.2f}"
    return f"{value:.3f}" if score == "loss" else f"{value:.4g}"


def _rank(value: float | None) -> float:
    """Return a key that sorts scores from the largest to the smallest; missing ones come last."""
    return math.inf if value is None or math.isnan(value) else -value
