"""Runs that differ in their seeds alone are one row: means, deviations, and what to doubt."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ltnas.command import AXES
from ltnas.config import RetrainConfig, SearchConfig
from ltnas.reports.runs import Run, flat
from ltnas.runs import fingerprint_of

PUBLISHED = {"darts": 0.7826, "fairdarts": 0.7935, "fairdarts_ssl": 0.8264}
"""Balanced test accuracy at exp0.1 in table I of arXiv 2406.16949."""
PUBLISHED_AT = "exp0.1"
CIFAR_10 = {"cifar10", "cifar10_parquet"}
OF_A_RUN = ("epochs", "batch_size", "channels", "cells", "limit_batches")
SIZES = (*OF_A_RUN, *(f"search.{key}" for key in OF_A_RUN))
"""Settings that decide how far a result can be compared with the paper's."""
SHOWN = (*("accuracy", "many", "medium", "few", "macro_accuracy", "macro_f1", "calibration_error"),)
ENOUGH_SEEDS = 3
DEFAULTS = flat(fingerprint_of(RetrainConfig(genotype="-"))) | {
    f"search.{key}": value for key, value in flat(fingerprint_of(SearchConfig())).items()
}
"""Settings that need not be said."""


@dataclass(frozen=True)
class Row:
    """Trainings of one configuration, over seeds.

    `label` is what tells the row from others of its scheme; `searches` are where genotypes come
    from, as far as they are there; `values` are lists over seeds, of `SHOWN` on both test sets
    (`few_balanced`) and of costs.
    """

    scheme: str
    imbalance: str
    label: str
    runs: tuple[Run, ...]
    searches: tuple[Run, ...]
    values: dict[str, list[float]]

    def mean(self, key: str) -> float | None:
        """Over seeds; None if it is not known."""
        found = self.values[key]
        return statistics.mean(found) if found else None

    def deviation(self, key: str) -> float | None:
        """Over seeds; None if there are fewer than two."""
        found = self.values[key]
        return statistics.stdev(found) if len(found) > 1 else None

    @property
    def seeds(self) -> list[int]:
        """Of its runs."""
        return [run.metrics["seed"] for run in self.runs]

    @property
    def published(self) -> float | None:
        """What the paper has for it, on the data of the paper."""
        sources = {run.metrics["data"].get("source") for run in self.runs}
        if self.imbalance != PUBLISHED_AT or not sources <= CIFAR_10:
            return None
        return PUBLISHED.get(self.scheme)

    @property
    def protocol(self) -> str:
        """What of its sizes is not as in the paper; empty if all is."""
        settings = told(self.runs[0], {run.folder.name: run for run in self.searches})
        return " ".join(
            f"{key}={settings[key]}"
            for key in SIZES
            if key in settings and settings[key] != DEFAULTS[key]
        )


def make_rows(runs: list[Run]) -> list[Row]:
    """The trainings among the finished runs, the best of each imbalance first."""
    groups: dict[Any, list[Run]] = defaultdict(list)
    searches = {run.folder.name: run for run in runs if run.kind == "search"}
    for run in runs:
        if run.state == "finished" and run.kind == "retrain":
            search = search_of(run, searches)
            groups[run.key, search and search.key].append(run)
    members = sorted(groups.values(), key=lambda group: group[0].folder.name)
    rows = [_row(group, members, searches) for group in members]
    return sorted(rows, key=lambda row: (row.imbalance, -(row.mean("accuracy_balanced") or 0)))


def _row(group: list[Run], members: list[list[Run]], searches: dict[str, Run]) -> Row:
    metrics = [run.metrics for run in group]
    values = {
        f"{key}_{name}": [m["test"][name][key] for m in metrics if known(m["test"][name].get(key))]
        for key in SHOWN
        for name in ("balanced", "long_tailed")
    }
    for key in ("parameters", "multiply_accumulates", "seconds", "peak_memory_gib"):
        values[key] = [m[key] for m in metrics]
    found = tuple(search for run in group if (search := search_of(run, searches)))
    values["search_seconds"] = [
        search.metrics["seconds"] for search in found if "seconds" in search.metrics
    ]
    first, named = metrics[0], label(group, members, searches)
    return Row(first["scheme"], first["imbalance"], named, tuple(group), found, values)


def search_of(run: Run, searches: dict[str, Run]) -> Run | None:
    """The search that found a training's genotype, if it is there."""
    return searches.get(Path(run.settings.get("genotype", "")).name)


def told(run: Run, searches: dict[str, Run]) -> dict[str, str]:
    """Settings of a training, and under `search.` those of its search."""
    search = search_of(run, searches)
    return run.settings | {
        f"search.{key}": value for key, value in (search.settings if search else {}).items()
    }


def known(value: object) -> bool:
    """Whether a result is a number; groups without classes have none."""
    return isinstance(value, int | float)


def spoken(key: str, value: str) -> str:
    """A setting as it is said on a command line."""
    for name, node in AXES.get(key.removeprefix("search."), {}).items():
        if node.__name__ == value:
            return f"{key}={name}"
    return f"{key}={value}"


def label(group: list[Run], members: list[list[Run]], searches: dict[str, Run]) -> str:
    """Its recipe, and what is not default of that in which rows with this recipe differ."""
    first = group[0]
    recipe = first.settings.get("recipe", "")

    def same(run: Run) -> bool:
        alike = all(run.metrics[key] == first.metrics[key] for key in ("scheme", "imbalance"))
        return alike and run.settings.get("recipe", "") == recipe

    others = [told(other[0], searches) for other in members if same(other[0])]
    settings = told(first, searches)
    keys = [
        key
        for key in settings
        if key not in ("seed", "genotype", "search.seed")
        and len({other[key] for other in others if key in other}) > 1
        and settings[key] != DEFAULTS.get(key)
    ]
    axes = [key for key in keys if "." not in key.removeprefix("search.")]
    words = [spoken(key, settings[key]) for key in axes or keys]
    return " ".join([*([recipe] if recipe != "paper" else []), *words]).strip()


def doubts(rows: list[Row], runs: list[Run]) -> list[str]:
    """What a reader must know before believing the table, a line each."""
    found = []
    few = [row for row in rows if len(set(row.seeds)) < ENOUGH_SEEDS]
    if few:
        names = ", ".join(sorted({f"{row.scheme} {row.imbalance}" for row in few}))
        found.append(f"fewer than {ENOUGH_SEEDS} seeds: {names}")
    for imbalance in sorted({row.imbalance for row in rows}):
        here = [row for row in rows if row.imbalance == imbalance]
        searched = [row for row in here if any(run.settings.get("genotype") for run in row.runs)]
        if searched and not any(row.scheme == "random" for row in here):
            found.append(f"{imbalance}: no random genotype to compare with (scheme=random)")
        sums = {run.metrics["data"]["subset_checksum"] for row in here for run in row.runs}
        if len(sums) > 1:
            found.append(f"{imbalance}: trained on different subsets ({', '.join(sorted(sums))})")
    finished = [run for run in runs if run.state == "finished"]
    commits = {run.metrics["provenance"]["commit"] for run in finished}
    if len(commits) > 1:
        found.append(f"runs of {len(commits)} different commits")
    if any(commit.endswith("+") for commit in commits):
        found.append("runs of code that was not committed")
    return found
