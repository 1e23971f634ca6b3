"""Runs that differ in their seeds alone are one row: means and deviations."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ltnas.reports import published
from ltnas.reports.labels import NOT_SAID, spoken, told_apart
from ltnas.reports.runs import Run, known

CIFAR_10 = {"cifar10", "cifar10_parquet"}
OF_A_RUN = ("epochs", "batch_size", "channels", "cells", "limit_batches")
SIZES = (*OF_A_RUN, *(f"search.{key}" for key in OF_A_RUN))
"""Settings that decide how far a result can be compared with the paper's."""
OF_NO_SCHEME = tuple(f"search.{key}" for key in ("weights.", "architecture.", "space.", *OF_A_RUN))
"""What of a search no scheme sets."""
ELSEWHERE = ("imbalance", "data.", "search.imbalance", "search.data.", "recipe")
"""Settings that other columns tell."""
SHOWN = (*("accuracy", "many", "medium", "few", "macro_accuracy", "macro_f1", "calibration_error"),)
LOST = "search not here"


@dataclass(frozen=True)
class Row:
    """Trainings of one configuration, over seeds.

    `label` is what tells the row from others of its scheme; `settings` are those of its first run
    and, under `search.`, of the search before it; `searches` are where genotypes come from, as far
    as they are there; `repeated` counts older runs of the same seeds, which count for nothing else;
    `values` are lists over seeds, of `SHOWN` on both test sets (`few_balanced`) and of costs.
    """

    scheme: str
    imbalance: str
    runs: tuple[Run, ...]
    searches: tuple[Run, ...]
    settings: dict[str, str]
    repeated: int
    label: str = ""
    values: dict[str, list[float]] = field(default_factory=dict)

    def mean(self, key: str) -> float | None:
        """Over seeds; None if it is not known."""
        found = self.values[key]
        return statistics.mean(found) if found else None

    def deviation(self, key: str) -> float | None:
        """Over seeds; None if there are fewer than two."""
        found = self.values[key]
        return statistics.stdev(found) if len(found) > 1 else None

    @property
    def name(self) -> str:
        """Scheme and label."""
        return f"{self.scheme} {self.label}".strip()

    @property
    def lost_search(self) -> bool:
        """Whether its genotypes come from searches that are not there."""
        return not self.searches and is_lost(self.runs[0])

    @property
    def apart_from_imbalance(self) -> tuple[tuple[str, str], ...]:
        """The same for rows that differ in their imbalance alone."""
        ignored = ("imbalance", "search.imbalance")
        kept = {k: v for k, v in self.settings.items() if not k.startswith(ignored)}
        kept["scheme"] = self.scheme
        return tuple(sorted((key, v) for key, v in kept.items() if key not in NOT_SAID))

    @property
    def published(self) -> float | None:
        """What the paper has for it, on the data of the paper."""
        sources = {run.metrics["data"]["source"] for run in self.runs}
        if self.imbalance != published.IMBALANCE or not sources <= CIFAR_10:
            return None
        return published.ACCURACIES.get(self.scheme)

    @property
    def protocol(self) -> str:
        """How it was made, as far as that is not as in the paper; empty if all is."""
        recipe = self.settings.get("recipe", "paper")
        keys = SIZES if recipe != "paper" else [key for key in self.settings if of_protocol(key)]
        words = spoken(self.settings, [key for key in keys if key in self.settings])
        own = [*([recipe] if recipe != "paper" else []), *([LOST] if self.lost_search else [])]
        return " ".join([*own, words]).strip()


def of_protocol(key: str) -> bool:
    """Whether the paper says what a setting is, whatever the scheme."""
    if key in NOT_SAID or key.startswith(ELSEWHERE):
        return False
    return not key.startswith("search.") or key.startswith(OF_NO_SCHEME)


def make_rows(runs: list[Run]) -> list[Row]:
    """The trainings among the finished runs, the best of each imbalance first."""
    searches = {run.folder.name: run for run in runs if run.kind == "search"}
    groups: dict[Any, list[Run]] = defaultdict(list)
    for run in runs:
        if run.state == "finished" and run.kind == "retrain":
            search = search_of(run, searches)
            groups[run.key, search.key if search else is_lost(run)].append(run)
    rows = labelled([_row(group, searches) for group in groups.values()])
    return sorted(
        rows, key=lambda row: (row.imbalance, -(row.mean("accuracy_balanced") or 0), row.name)
    )


def _row(group: list[Run], searches: dict[str, Run]) -> Row:
    runs = newest(group, searches)
    found = tuple(search for run in runs if (search := search_of(run, searches)))
    first, values = runs[0], values_of(runs, found)
    settings = first.settings | {
        f"search.{key}": value for key, value in (found[0].settings if found else {}).items()
    }
    scheme, imbalance = first.metrics["scheme"], first.metrics["imbalance"]
    repeated = len(group) - len(runs)
    return Row(scheme, imbalance, tuple(runs), found, settings, repeated, values=values)


def newest(group: list[Run], searches: dict[str, Run]) -> list[Run]:
    """One run of each pair of seeds, of search and training: a copy is no evidence."""
    kept: dict[Any, Run] = {}
    for run in sorted(group, key=lambda run: run.folder.name):
        search = search_of(run, searches)
        origin = search.settings.get("seed") if search else run.settings.get("genotype")
        kept[run.metrics["seed"], origin] = run
    return list(kept.values())


def values_of(runs: list[Run], searches: tuple[Run, ...]) -> dict[str, list[float]]:
    """Numbers of a row, lists over its runs of what is known."""
    metrics = [run.metrics for run in runs]
    values = {
        f"{key}_{name}": [m["test"][name][key] for m in metrics if known(m["test"][name].get(key))]
        for key in SHOWN
        for name in ("balanced", "long_tailed")
    }
    for key in ("parameters", "multiply_accumulates", "seconds", "peak_memory_gib"):
        values[key] = [m[key] for m in metrics]
    took = [search.metrics.get("seconds") for search in searches]
    values["search_seconds"] = [seconds for seconds in took if known(seconds)]
    return values


def search_of(run: Run, searches: dict[str, Run]) -> Run | None:
    """The search that found a training's genotype, if it is there."""
    path = Path(run.settings.get("genotype", ""))
    return searches.get(path.parent.name if path.name == "genotype.json" else path.name)


def is_lost(run: Run) -> bool:
    """Whether a training's genotype is a file and no name; its search is nowhere to be seen."""
    return "/" in run.settings.get("genotype", "")


def labelled(rows: list[Row]) -> list[Row]:
    """Rows with their labels: the recipe, and what tells a row from others of its recipe."""
    alike: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        alike[row.scheme, row.imbalance, row.settings.get("recipe", "paper")].append(row)
    found = []
    for (_, _, recipe), members in alike.items():
        words = told_apart([row.settings for row in members])
        lost = len({row.lost_search for row in members}) > 1
        for row, own in zip(members, words, strict=True):
            parts = [recipe] if recipe != "paper" else []
            parts += [own, LOST if lost and row.lost_search else ""]
            found.append(Row(**{**vars(row), "label": " ".join(filter(None, parts))}))
    return found
