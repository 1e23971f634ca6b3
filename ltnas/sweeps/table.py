"""Table of the jobs of a sweep: live on a terminal, one line for each change elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ltnas.cli.console import plain_console
from ltnas.runs.units import duration
from ltnas.sweeps.jobs import Job

URGENT = ("running", "failed", "waiting", "stopped", "done", "done before")
"""States in the order in which jobs are shown if the terminal has no room for all."""


def names(jobs: Sequence[Job]) -> dict[int, str]:
    """Return the name of each job by its number: the overrides that not all jobs share.

    A job that is alone is named by all of its overrides.
    """
    shared = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    return {
        job.number: " ".join(word for word in job.overrides if word not in shared)
        or f"job {job.number}"
        for job in jobs
    }


def board(jobs: Sequence[Job], lines: int) -> Group:
    """Return a table of as many jobs as fit, and a line that counts the jobs in each state.

    Args:
        jobs: all jobs of the sweep.
        lines: height of the terminal in lines.
    """
    room = max(1, lines - 3)
    # The most urgent jobs get the lines; within the table jobs keep their numbers' order.
    chosen = sorted(jobs, key=lambda job: URGENT.index(job.state))[:room]
    states = Counter(job.state for job in jobs)
    counts = ", ".join(f"{states[state]} {state}" for state in URGENT if states[state])
    return Group(table(sorted(chosen, key=lambda job: job.number), names(jobs)), Text(counts))


def table(jobs: Sequence[Job], names: Mapping[int, str]) -> Table:
    """Return a table with place, state, stage, epoch, accuracy and time left of each job.

    Args:
        jobs: jobs to show, one line each.
        names: name of each job by its number.
    """
    rows = Table(box=None, pad_edge=False)
    for heading in ("job", "where", "state", "", "epoch", "test, %", "left"):
        is_text = heading in ("job", "where", "state", "")
        rows.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for job in jobs:
        progress = job.progress() if job.state != "waiting" else None
        epoch = f"{progress[1]}/{progress[2]}" if progress else ""
        left = job.seconds_left()
        rows.add_row(
            Text(names[job.number]),  # not markup: overrides may contain square brackets
            *(job.place, job.state, progress[0] if progress else "", epoch),
            *(progress[3] if progress else "", duration(left) if left is not None else ""),
        )
    return rows


class Board:
    """Shows the state of all jobs while they run; a context manager."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs, self.console = jobs, plain_console(stderr=True)
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

    def print_state(self, job: Job) -> None:
        """Print the new state of a job, unless there is a live table that shows it."""
        if not self.console.is_terminal:
            tail = {"failed": f": {job.failure()}", "running": f" on {job.place}"}
            self.console.print(
                f"job {job.number} {' '.join(job.overrides)}: {job.state}{tail.get(job.state, '')}",
                soft_wrap=True,
            )
