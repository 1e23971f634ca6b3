"""Results of each class for the page: means over the seeds of a row, and its confusion matrix."""

from __future__ import annotations

import statistics
from typing import Any

from ltnas.reports.row import Row


def class_results(rows: list[Row]) -> dict[str, Any]:
    """Return the results of each class of all rows, as data of the page's script.

    Names, training images and groups of the classes are listed once for all rows that share them,
    because there may be a thousand.

    Returns:
        `sets`, each with `names`, `counts` and `groups`, one entry for each class; and `results`,
        one for each row: None if its results are not by class, or the number of its `set`, and the
        `accuracies` and the `confusion` of all seeds, see `accuracies` and `confusion`.
    """
    sets: list[dict[str, Any]] = []
    results: list[dict[str, Any] | None] = []
    for row in rows:
        members = [run.metrics["test"].get(row.tests, {}) for run in row.runs]
        classes = described(row.runs[0].metrics["data"], members)
        if classes is None:
            results.append(None)
            continue
        if classes not in sets:
            sets.append(classes)
        results.append(
            {
                "set": sets.index(classes),
                "accuracies": accuracies(members, classes["names"]),
                "confusion": confusion(members),
            }
        )
    return {"sets": sets, "results": results}


def described(data: dict[str, Any], members: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return names, training images and groups of the classes; None if they are not known.

    Args:
        data: entry `data` of metrics.json.
        members: results of each seed on all test images.
    """
    names, counts = list(members[0].get("per_class", ())), data.get("class_counts")
    of_all = all(list(member.get("per_class", ())) == names for member in members)
    if not names or not of_all or not isinstance(counts, list) or len(counts) != len(names):
        return None
    group_of = {label: name for name, labels in data.get("groups", {}).items() for label in labels}
    groups = [group_of.get(label, "") for label in range(len(names))]
    return {"names": names, "counts": counts, "groups": groups}


def accuracies(members: list[dict[str, Any]], names: list[str]) -> list[float | None]:
    """Return the mean accuracy of each class over the seeds, in [0, 1]; None if it is not known."""
    means = []
    for name in names:
        values = [member["per_class"][name] for member in members]
        known = [value for value in values if value is not None]
        means.append(round(statistics.fmean(known), 5) if known else None)
    return means


def confusion(members: list[dict[str, Any]]) -> list[list[int]] | None:
    """Return the sum of the seeds' confusion matrices; None unless each seed has one.

    metrics.json has none of more than a hundred classes, where nothing could be seen.
    """
    matrices = [member.get("confusion") for member in members]
    if not all(matrices):
        return None
    return [
        [sum(cell) for cell in zip(*lines, strict=True)] for lines in zip(*matrices, strict=True)
    ]
