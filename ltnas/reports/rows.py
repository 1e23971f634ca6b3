"""Rows of tables: trainings grouped by their settings, their images and their genotypes' source."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from ltnas.data.test_sets import LONG_TAILED, VALIDATION
from ltnas.reports.row import LOST, Row, is_lost
from ltnas.reports.row_labels import labels
from ltnas.reports.runs import Run, known
from ltnas.space.genotype import FILE, without_file

SHOWN = (*("accuracy", "many", "medium", "few", "macro_accuracy", "macro_f1", "calibration_error"),)
"""Numbers of a test report that a row has."""
NAMELESS = "genotype"
"""Scheme of a training whose genotype's file names none."""


def make_rows(runs: list[Run]) -> list[Row]:
    """Return the rows of all finished trainings, the best of each imbalance first."""
    searches = {run.folder.name: run for run in runs if run.kind == "search"}
    groups: dict[Any, list[Run]] = defaultdict(list)
    for run in runs:
        if run.state == "finished" and run.kind == "retrain":
            search = search_of(run, searches)
            groups[run.key, search.key if search else origin_of(run)].append(run)
    rows = [_row(group, searches) for group in groups.values()]
    rows = [replace(row, label=label) for row, label in zip(rows, labels(rows), strict=True)]
    return sorted(rows, key=lambda row: (row.imbalance, -(row.mean(row.headline) or 0), row.name))


def _row(group: list[Run], searches: dict[str, Run]) -> Row:
    runs = newest(group, searches)
    before = tuple(search for run in runs if (search := search_of(run, searches)))
    first, values = runs[0], values_of(runs, before)
    settings = first.settings | {
        f"search.{key}": value for key, value in (before[0].settings if before else {}).items()
    }
    scheme, imbalance = first.metrics["scheme"], first.metrics["imbalance"]
    return Row(
        scheme=scheme,
        imbalance=imbalance,
        runs=tuple(runs),
        searches=before,
        settings=settings,
        repeated=len(group) - len(runs),
        values=values,
        origin="" if before else origin_of(first)[0],
    )


def newest(group: list[Run], searches: dict[str, Run]) -> list[Run]:
    """Return the newest run for each pair of seeds of search and training, without repetitions."""
    kept: dict[Any, Run] = {}
    for run in sorted(group, key=lambda run: run.folder.name):
        search = search_of(run, searches)
        origin = search.settings.get("seed") if search else run.settings.get("genotype")
        kept[run.metrics["seed"], origin] = run
    return list(kept.values())


def values_of(runs: list[Run], searches: tuple[Run, ...]) -> dict[str, list[float]]:
    """Return the numbers of a row: for each key the list of known values over its runs."""
    metrics = [run.metrics for run in runs]
    tests = {
        name: [m["test"].get(name, {}) for m in metrics] for name in (runs[0].tests, LONG_TAILED)
    }
    tests[VALIDATION] = [m.get(VALIDATION, {}) for m in metrics]
    values = {
        f"{key}_{name}": [report[key] for report in reports if known(report.get(key))]
        for key in SHOWN
        for name, reports in tests.items()
    }
    for key in ("parameters", "multiply_accumulates", "seconds", "peak_memory_gib"):
        values[key] = [m[key] for m in metrics]
    took = [search.metrics.get("seconds") for search in searches]
    values["search_seconds"] = [seconds for seconds in took if known(seconds)]
    return values


def search_of(run: Run, searches: dict[str, Run]) -> Run | None:
    """Return the search of a training's genotype; None if its folder is not present."""
    return searches.get(without_file(Path(run.settings.get("genotype", ""))).name)


def origin_of(run: Run) -> tuple[str, str]:
    """Return the source of a training's genotype, and its content if only that can tell it apart.

    Lost genotypes of searches of one scheme are taken for those of several seeds. A file that names
    no scheme comes from no search: such genotypes differ if their cells do.
    """
    if not is_lost(run):
        genotype = run.settings.get("genotype", "").lower()
        return f"genotype={genotype}" if genotype else "", ""
    if run.metrics["scheme"] != NAMELESS:
        return LOST, ""
    name = f"genotype={Path(run.settings['genotype']).name}"
    try:
        return name, (run.folder / FILE).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return name, run.settings["genotype"]
