"""A sweep: runs jobs on places as these become free, and skips jobs that are done."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ltnas.config import Run
from ltnas.runs.fingerprint import is_one_run
from ltnas.runs.folder import run_folders
from ltnas.runs.resume import finished_run
from ltnas.runs.user_paths import expanded
from ltnas.sweeps.devices import Place
from ltnas.sweeps.jobs import Job
from ltnas.sweeps.table import Board

GRACE = 20.0
"""Seconds that interrupted jobs have to end before they are killed."""


def mark_done(jobs: Sequence[Job], configs: Sequence[Run]) -> None:
    """Mark the jobs whose configuration already has a finished run; `resume=never` runs again.

    Args:
        jobs: jobs of the sweep; those that are done get the state `done before` and their folder.
        configs: configuration of each job, in the same order.
    """
    folders: dict[str, list[Path]] = {}
    checksums: dict[str, str] = {}

    def checksum(config: Run) -> str:
        """Return the checksum of a run's data set, which jobs may share."""
        from ltnas.data.long_tail import data_checksum  # imports torch

        key = repr((config.data, config.imbalance))
        if key not in checksums:
            checksums[key] = data_checksum(config)
        return checksums[key]

    for job, config in zip(jobs, configs, strict=True):
        # A pipeline looks for each of its two runs itself.
        if "resume=never" in job.overrides or not is_one_run(config):
            continue
        if config.runs not in folders:
            folders[config.runs] = sorted(run_folders(expanded("runs", config.runs)))
        finished = finished_run(config, folders[config.runs], checksum)
        if finished is not None:
            job.state, job.folder = "done before", str(finished)


def sweep(jobs: Sequence[Job], places: Sequence[Place], command: Sequence[str]) -> None:
    """Run all waiting jobs; a failed job does not stop the others.

    Args:
        jobs: jobs of the sweep.
        places: places to run on, each with one job at a time.
        command: command that the overrides of each job are appended to.

    Raises:
        KeyboardInterrupt: the sweep was interrupted, and all jobs have been stopped.
    """
    free: queue.SimpleQueue[Place] = queue.SimpleQueue()
    for place in places:
        free.put(place)
    with Board(jobs) as board:
        # A thread for each place; it only waits for the process of its job.
        pool = ThreadPoolExecutor(len(places))
        try:
            waiting = [job for job in jobs if job.state == "waiting"]
            futures = [pool.submit(_run, job, free, command, board) for job in waiting]
            for future in futures:
                # An interrupt arrives here, in the main thread.
                future.result()
        except KeyboardInterrupt:
            stop(jobs)
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def stop(jobs: Sequence[Job]) -> None:
    """Cancel waiting jobs, interrupt running ones, kill them after GRACE.

    A second interrupt kills them at once.
    """
    for job in jobs:
        job.stop(signal.SIGINT)
    deadline = time.monotonic() + GRACE
    try:
        while time.monotonic() < deadline and any(job.is_alive() for job in jobs):
            time.sleep(0.05)
    except KeyboardInterrupt:
        pass
    for job in jobs:
        job.stop(signal.SIGKILL)


def _run(job: Job, free: queue.SimpleQueue[Place], command: Sequence[str], board: Board) -> None:
    """Run one job on the next free place."""
    place = free.get()
    try:
        # False if the sweep was interrupted while the job waited for a place.
        if job.start(command, place):
            board.print_state(job)
            job.wait()
        if job.state != "stopped":
            board.print_state(job)
    finally:
        free.put(place)
