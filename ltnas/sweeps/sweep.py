"""A sweep: jobs to places as these get free; what is done is skipped, what was cut off goes on."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ltnas.config import Run
from ltnas.runs.folder import run_folders
from ltnas.runs.resume import finished_run
from ltnas.sweeps.devices import Place
from ltnas.sweeps.jobs import Job
from ltnas.sweeps.table import Board

GRACE = 20.0
"""Seconds that jobs have to end after they were asked to."""


def mark_done(jobs: Sequence[Job], configs: Sequence[Run]) -> None:
    """Find the jobs that an earlier sweep has finished, but for those that are to run again."""
    known: dict[str, list[Path]] = {}
    for job, config in zip(jobs, configs, strict=True):
        if "resume=never" in job.overrides:
            continue
        if config.runs not in known:
            known[config.runs] = sorted(run_folders(Path(config.runs).expanduser()))
        found = finished_run(config, known[config.runs])
        if found is not None:
            job.state, job.folder = "done before", str(found)


def sweep(jobs: Sequence[Job], places: Sequence[Place], command: Sequence[str]) -> None:
    """Run all jobs that wait; one that fails does not stop the others.

    Args:
        jobs: of the sweep.
        places: each holds one job at a time.
        command: that is run with the words of each job.

    Raises:
        KeyboardInterrupt: after all jobs have been ended.
    """
    free: queue.SimpleQueue[Place] = queue.SimpleQueue()
    for place in places:
        free.put(place)
    with Board(jobs) as board:
        pool = ThreadPoolExecutor(len(places))
        try:
            waiting = [job for job in jobs if job.state == "waiting"]
            futures = [pool.submit(_run, job, free, command, board) for job in waiting]
            for future in futures:
                future.result()
        except KeyboardInterrupt:
            end(jobs)
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def end(jobs: Sequence[Job]) -> None:
    """Start no job any more, ask those that run to end, and make them after a while.

    Another interrupt makes them at once.
    """
    for job in jobs:
        job.end(signal.SIGINT)
    deadline = time.monotonic() + GRACE
    try:
        while time.monotonic() < deadline and any(job.is_alive() for job in jobs):
            time.sleep(0.05)
    except KeyboardInterrupt:
        pass
    for job in jobs:
        job.end(signal.SIGKILL)


def _run(job: Job, free: queue.SimpleQueue[Place], command: Sequence[str], board: Board) -> None:
    place = free.get()
    try:
        if job.start(command, place):
            board.tell(job)
            job.wait()
        if job.state != "stopped":
            board.tell(job)
    finally:
        free.put(place)
