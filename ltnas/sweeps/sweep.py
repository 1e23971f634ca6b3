"""A sweep: jobs to places as these get free; what is done is skipped, what was cut off goes on."""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ltnas.config import Run
from ltnas.runs import finished_run, run_folders
from ltnas.sweeps.devices import Place
from ltnas.sweeps.jobs import Job
from ltnas.sweeps.table import Board


def mark_done(jobs: Sequence[Job], configs: Sequence[Run]) -> None:
    """Find the jobs that an earlier sweep has finished."""
    known: dict[str, list[Path]] = {}
    for job, config in zip(jobs, configs, strict=True):
        if config.runs not in known:
            known[config.runs] = sorted(run_folders(Path(config.runs).expanduser()))
        found = finished_run(config, known[config.runs])
        if found is not None:
            job.state, job.folder = "done before", str(found)


def sweep(jobs: Sequence[Job], places: Sequence[Place], module: str) -> None:
    """Run all jobs that wait; one that fails does not stop the others.

    Raises:
        KeyboardInterrupt: after all jobs have been ended.
    """
    free: queue.SimpleQueue[Place] = queue.SimpleQueue()
    for place in places:
        free.put(place)
    with Board(jobs) as board, ThreadPoolExecutor(len(places)) as pool:
        waiting = [job for job in jobs if job.state == "waiting"]
        futures = [pool.submit(_run, job, free, module, board.tell) for job in waiting]
        try:
            for future in futures:
                future.result()
        except KeyboardInterrupt:
            for job in jobs:
                job.stop()
            raise


def _run(
    job: Job, free: queue.SimpleQueue[Place], module: str, tell: Callable[[Job], None]
) -> None:
    place = free.get()
    try:
        if job.state == "waiting":
            job.run(module, place)
            tell(job)
    finally:
        free.put(place)
