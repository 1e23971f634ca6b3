"""Row of a table: mean and deviation over trainings that differ only in their seeds."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from ltnas.data.test_sets import headline
from ltnas.reports import published
from ltnas.reports.images import differ
from ltnas.reports.labels import NOT_SAID, spoken
from ltnas.reports.runs import Run

CIFAR_10 = {"cifar10", "cifar10_parquet"}
OF_A_RUN = ("epochs", "batch_size", "channels", "cells", "limit_batches", "limit_test_batches")
SIZES = (*OF_A_RUN, *(f"search.{key}" for key in OF_A_RUN))
"""Settings of size and length, which limit how far results compare with the paper's."""
OF_NO_SCHEME = tuple(f"search.{key}" for key in ("weights.", "architecture.", "space.", *OF_A_RUN))
"""Prefixes of settings of a search that no scheme sets."""
ELSEWHERE = ("imbalance", "data.", "search.imbalance", "search.data.", "recipe")
"""Prefixes of settings that other columns show."""
LOST = "search not here"


@dataclass(frozen=True)
class Row:
    """Trainings of one configuration with different seeds.

    `label` distinguishes the row from others of its scheme. `settings` are those of its first run
    and, under `search.`, of the search before it. `searches` are the searches of the genotypes, as
    far as their folders are present. `repeated` is the number of older runs of the same seeds,
    which enter nothing else. `values` are lists over seeds: of `SHOWN` on each test set (for
    example `few_balanced`) and of costs. `origin` is a word for the genotypes' source, which is
    empty if they come from searches whose folders are present.
    """

    scheme: str
    imbalance: str
    runs: tuple[Run, ...]
    searches: tuple[Run, ...]
    settings: dict[str, str]
    repeated: int
    label: str = ""
    values: dict[str, list[float]] = field(default_factory=dict)
    origin: str = ""

    def mean(self, key: str) -> float | None:
        """Return the mean over seeds; None if there is no value."""
        values = self.values.get(key)
        return statistics.mean(values) if values else None

    def deviation(self, key: str) -> float | None:
        """Return the standard deviation over seeds; None for fewer than two values."""
        values = self.values.get(key, [])
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def name(self) -> str:
        """Scheme and label."""
        return f"{self.scheme} {self.label}".strip()

    @property
    def tests(self) -> str:
        """Name of the set of all test images: `balanced`, or `test` if they are not balanced."""
        return self.runs[0].tests

    @property
    def headline(self) -> str:
        """Key of the number that rows are ranked by."""
        return self.on_all(headline(self.tests))

    def on_all(self, score: str) -> str:
        """Return the key of a number on all test images, for example `few_balanced`."""
        return f"{score}_{self.tests}"

    @property
    def lost_search(self) -> bool:
        """True if the genotypes come from searches whose folders are not present."""
        return not self.searches and is_lost(self.runs[0])

    def is_another_imbalance_of(self, other: Row) -> bool:
        """Return True if two rows differ in their imbalance and in nothing else."""
        images = [row.runs[0].images.independent_of_imbalance for row in (self, other)]
        return (
            self.imbalance != other.imbalance
            and self._apart_from_imbalance == other._apart_from_imbalance
            and not differ(*images)
        )

    @property
    def _apart_from_imbalance(self) -> dict[str, str]:
        """Scheme and settings that are equal for rows that differ only in their imbalance."""
        ignored = ("imbalance", "search.imbalance")
        kept = {k: v for k, v in self.settings.items() if not k.startswith(ignored)}
        kept["scheme"] = self.scheme
        return {key: value for key, value in kept.items() if key not in NOT_SAID}

    @property
    def published_accuracy(self) -> float | None:
        """Published accuracy of the scheme on the paper's data; None if there is none."""
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


def is_lost(run: Run) -> bool:
    """Return True if a training's genotype is a path and not a published name."""
    genotype = run.settings.get("genotype", "")
    return "/" in genotype or genotype.endswith(".json")
