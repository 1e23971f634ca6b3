"""Rows of tables: means and deviations over trainings that differ only in their seeds."""

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
"""Settings of size and length, which limit how far results compare with the paper's."""
OF_NO_SCHEME = tuple(f"search.{key}" for key in ("weights.", "architecture.", "space.", *OF_A_RUN))
"""Prefixes of settings of a search that no scheme sets."""
ELSEWHERE = ("imbalance", "data.", "search.imbalance", "search.data.", "recipe")
"""Prefixes of settings that other columns show."""
SHOWN = (*("accuracy", "many", "medium", "few", "macro_accuracy", "macro_f1", "calibration_error"),)
LOST = "search not here"


@dataclass(frozen=True)
class Row:
    """Trainings of one configuration with different seeds.

    `label` distinguishes the row from others of its scheme. `settings` are those of its first run
    and, under `search.`, of the search before it. `searches` are the searches of the genotypes, as
    far as their folders are present. `repeated` is the number of older runs of the same seeds,
    which enter nothing else. `values` are lists over seeds: of `SHOWN` on both test sets (for
    example `few_balanced`) and of costs.
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
        """Return the mean over seeds; None if there is no value."""
        values = self.values[key]
        return statistics.mean(values) if values else None

    def deviation(self, key: str) -> float | None:
        """Return the standard deviation over seeds; None for fewer than two values."""
        values = self.values[key]
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def name(self) -> str:
        """Scheme and label."""
        return f"{self.scheme} {self.label}".strip()

    @property
    def lost_search(self) -> bool:
        """True if the genotypes come from searches whose folders are not present."""
        return not self.searches and is_lost(self.runs[0])

    @property
    def apart_from_imbalance(self) -> tuple[tuple[str, str], ...]:
        """Settings that are equal for rows that differ only in their imbalance."""
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
        """Recipe and settings that differ from the paper's; empty if none does."""
        recipe = self.settings.get("recipe", "paper")
        keys = SIZES if recipe != "paper" else [key for key in self.settings if of_protocol(key)]
        words = spoken(self.settings, [key for key in keys if key in self.settings])
        own = [*([recipe] if recipe != "paper" else []), *([LOST] if self.lost_search else [])]
        return " ".join([*own, words]).strip()


def of_protocol(key: str) -> bool:
    """Return True for a setting that the paper fixes for all schemes."""
    if key in NOT_SAID or key.startswith(ELSEWHERE):
        return False
    return not key.startswith("search.") or key.startswith(OF_NO_SCHEME)


def make_rows(runs: list[Run]) -> list[Row]:
    """Return the rows of all finished trainings, the best of each imbalance first."""
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
    before = tuple(search for run in runs if (search := search_of(run, searches)))
    first, values = runs[0], values_of(runs, before)
    settings = first.settings | {
        f"search.{key}": value for key, value in (before[0].settings if before else {}).items()
    }
    scheme, imbalance = first.metrics["scheme"], first.metrics["imbalance"]
    repeated = len(group) - len(runs)
    return Row(scheme, imbalance, tuple(runs), before, settings, repeated, values=values)


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
    """Return the search of a training's genotype; None if its folder is not present."""
    path = Path(run.settings.get("genotype", ""))
    return searches.get(path.parent.name if path.name == "genotype.json" else path.name)


def is_lost(run: Run) -> bool:
    """Return True if a training's genotype is a path and not a published name."""
    return "/" in run.settings.get("genotype", "")


def labelled(rows: list[Row]) -> list[Row]:
    """Return the rows with labels: the recipe, and the settings that differ within a recipe."""
    alike: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        alike[row.scheme, row.imbalance, row.settings.get("recipe", "paper")].append(row)
    result = []
    for (_, _, recipe), members in alike.items():
        words = told_apart([row.settings for row in members])
        lost = len({row.lost_search for row in members}) > 1
        for row, own in zip(members, words, strict=True):
            parts = [recipe] if recipe != "paper" else []
            parts += [own, LOST if lost and row.lost_search else ""]
            result.append(Row(**{**vars(row), "label": " ".join(filter(None, parts))}))
    return result
