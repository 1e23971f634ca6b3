"""All jobs of a sweep as one table that moves, or as lines where nothing can move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ltnas.reports.formats import duration
from ltnas.sweeps.jobs import Job


def names(jobs: Sequence[Job]) -> dict[int, str]:
    """Each job by the overrides in which jobs differ; all of them, for a job that is alone."""
    shared = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    return {
        job.number: " ".join(word for word in job.overrides if word not in shared)
        or f"job {job.number}"
        for job in jobs
    }


URGENT = ("running", "failed", "waiting", "stopped", "done", "done before")
"""States, those first that a person wants to see where there is no room for all."""


def board(jobs: Sequence[Job], lines: int) -> Group:
    """As many jobs as fit, in their order, and how many are in which state.

    Args:
        jobs: of the sweep.
        lines: of the terminal.
    """
    room = max(1, lines - 3)
    wanted = sorted(jobs, key=lambda job: URGENT.index(job.state))[:room]
    states = Counter(job.state for job in jobs)
    counts = ", ".join(f"{states[state]} {state}" for state in URGENT if states[state])
    return Group(table(sorted(wanted, key=lambda job: job.number), names(jobs)), Text(counts))


def table(jobs: Sequence[Job], named: Mapping[int, str]) -> Table:
    """State, stage, epoch, accuracy and time left of each job.

    Args:
        jobs: a line each.
        named: what each is called, by its number.
    """
    found = Table(box=None, pad_edge=False)
    for heading in ("job", "where", "state", "", "epoch", "test, %", "left"):
        words = heading in ("job", "where", "state", "")
        found.add_column(heading, justify="left" if words else "right", no_wrap=True)
    for job in jobs:
        progress = job.progress() if job.state != "waiting" else None
        epoch = f"{progress[1]}/{progress[2]}" if progress else ""
        left = job.seconds_left()
        found.add_row(
            Text(named[job.number]),  # brackets of a list are no markup
            *(job.place, job.state, progress[0] if progress else "", epoch),
            *(progress[3] if progress else "", duration(left) if left is not None else ""),
        )
    return found


class Board:
    """Shows the jobs of a sweep while they run; in a `with` statement."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs, self.console = jobs, Console(stderr=True, highlight=False)
        self.live = Live(console=self.console, get_renderable=self._table, refresh_per_second=1)

    def _table(self) -> Group:
        return board(self.jobs, self.console.height)

    def __enter__(self) -> Board:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.console.is_terminal:
            self.live.stop()

    def tell(self, job: Job) -> None:
        """A line for a job whose state has changed, where there is no moving table."""
        if not self.console.is_terminal:
            tail = {"failed": f": {job.last_words()}", "running": f" on {job.place}"}
            self.console.print(
                f"job {job.number} {' '.join(job.overrides)}: {job.state}{tail.get(job.state, '')}",
                soft_wrap=True,
                markup=False,
            )
