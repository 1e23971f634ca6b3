"""Caveats of a table: reasons to trust its rows less than they look."""

from __future__ import annotations

from ltnas.data.test_sets import BALANCED
from ltnas.reports.images import any_differ
from ltnas.reports.row import Row
from ltnas.reports.runs import Run

ENOUGH_SEEDS = 3
"""Number of seeds from which on a row has no caveat about them."""
BASELINE = "random"
"""Scheme that draws genotypes at random; every search should be compared with it."""


def caveats(rows: list[Row], runs: list[Run]) -> list[str]:
    """Return one line for each caveat of the rows, of each imbalance, and of the runs' code."""
    imbalances = sorted({row.imbalance for row in rows})
    return [
        *_caveats_of_rows(rows),
        *(line for name in imbalances for line in _caveats_of_imbalance(name, rows)),
        *_caveats_of_code([run for run in runs if run.state == "finished"]),
    ]


def _caveats_of_rows(rows: list[Row]) -> list[str]:
    cases = {
        f"fewer than {ENOUGH_SEEDS} seeds": [row for row in rows if len(row.runs) < ENOUGH_SEEDS],
        "several runs of the same seed, only the newest counts": [
            row for row in rows if row.repeated
        ],
        "searches not in these folders, their settings are unknown": [
            row for row in rows if row.lost_search
        ],
        "tested on a part of the test images (limit_test_batches), accuracies are estimates": [
            row for row in rows if any(tested_on_a_part(run) for run in row.runs)
        ],
        "test split not balanced, class-balanced is the mean of the classes' accuracies": [
            row for row in rows if row.tests != BALANCED
        ],
    }
    return [
        f"{case}: {', '.join(sorted({f'{row.scheme} {row.imbalance}' for row in affected}))}"
        for case, affected in cases.items()
        if affected
    ]


def tested_on_a_part(run: Run) -> bool:
    """Return True for a run with `limit_test_batches`; earlier versions did not write how many."""
    data = run.metrics["data"]
    return bool("tested_images" in data and data["tested_images"] < data["test_images"])


def _caveats_of_imbalance(imbalance: str, rows: list[Row]) -> list[str]:
    lines = []
    alike = [row for row in rows if row.imbalance == imbalance]
    # Trainings of fixed networks need no random genotype beside them.
    searched = [row for row in alike if any(run.settings.get("genotype") for run in row.runs)]
    if searched and not any(row.scheme == BASELINE for row in alike):
        lines.append(f"{imbalance}: no random genotype to compare with (scheme={BASELINE})")
    # Accuracies of different images are not comparable, even at the same imbalance.
    runs = [run for row in alike for run in row.runs]
    if any_differ(run.images for run in runs):
        lines.append(f"{imbalance}: runs were trained on different {_names_of_images(runs)}")
    return lines


def _names_of_images(runs: list[Run]) -> str:
    """Return the subsets of runs whose images differ, or else the data sets."""
    data = [run.metrics["data"] for run in runs]
    # Subsets are positions of images, which are equal for two data sets of the same class sizes.
    for name, key in (("subsets", "subset_checksum"), ("data", "source"), ("data", "checksum")):
        values = sorted({str(entry[key]) for entry in data if key in entry})
        if len(values) > 1:
            shown = [value[:16] if key == "checksum" else value for value in values]
            return f"{name} ({', '.join(shown)})"
    return "data"


def _caveats_of_code(finished: list[Run]) -> list[str]:
    lines = []
    commits = {run.metrics["provenance"]["commit"] for run in finished}
    if len(commits) > 1:
        lines.append(f"runs come from {len(commits)} different commits")
    if any(commit.endswith("+") for commit in commits):  # "+" marks uncommitted changes
        lines.append("some runs used code that was not committed")
    return lines
