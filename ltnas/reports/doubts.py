"""What a reader must know before believing a table."""

from __future__ import annotations

from ltnas.reports.rows import Row
from ltnas.reports.runs import Run

ENOUGH_SEEDS = 3


def doubts(rows: list[Row], runs: list[Run]) -> list[str]:
    """A line each: of the rows, of each imbalance, of the code that has made the runs."""
    imbalances = sorted({row.imbalance for row in rows})
    return [
        *_of_rows(rows),
        *(line for name in imbalances for line in _of_imbalance(name, rows)),
        *_of_code([run for run in runs if run.state == "finished"]),
    ]


def _of_rows(rows: list[Row]) -> list[str]:
    cases = {
        f"fewer than {ENOUGH_SEEDS} seeds": [row for row in rows if len(row.runs) < ENOUGH_SEEDS],
        "the same seed more than once, the newest counts": [row for row in rows if row.repeated],
        "searches that are not here, settings unknown": [row for row in rows if row.lost_search],
    }
    return [
        f"{case}: {', '.join(sorted({f'{row.scheme} {row.imbalance}' for row in found}))}"
        for case, found in cases.items()
        if found
    ]


def _of_imbalance(imbalance: str, rows: list[Row]) -> list[str]:
    found = []
    here = [row for row in rows if row.imbalance == imbalance]
    searched = [row for row in here if any(run.settings.get("genotype") for run in row.runs)]
    if searched and not any(row.scheme == "random" for row in here):
        found.append(f"{imbalance}: no random genotype to compare with (scheme=random)")
    sums = {run.metrics["data"]["subset_checksum"] for row in here for run in row.runs}
    if len(sums) > 1:
        found.append(f"{imbalance}: trained on different subsets ({', '.join(sorted(sums))})")
    return found


def _of_code(finished: list[Run]) -> list[str]:
    found = []
    commits = {run.metrics["provenance"]["commit"] for run in finished}
    if len(commits) > 1:
        found.append(f"runs of {len(commits)} different commits")
    if any(commit.endswith("+") for commit in commits):
        found.append("runs of code that was not committed")
    return found
