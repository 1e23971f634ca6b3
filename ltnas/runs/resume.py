"""Opening of run folders: new ones, and those of runs that are resumed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from ltnas.config import Run
from ltnas.distributed.processes import rank, tell_folder, told_folder
from ltnas.errors import UserError
from ltnas.runs.comparison import DataChecksum, WantedRun
from ltnas.runs.fingerprint import stored_fingerprint
from ltnas.runs.folder import RunFolder
from ltnas.runs.locks import is_locked
from ltnas.runs.user_paths import expanded

FEW = 2
"""Largest number of differing settings with which an unfinished run is worth a note."""


def finished_run(config: Run, folders: Iterable[Path], data_checksum: DataChecksum) -> Path | None:
    """Return the folder of a finished run with this configuration; None if there is none.

    Args:
        config: configuration of the run.
        folders: run folders to look through.
        data_checksum: function that loads the data set and returns its checksum; called at most
            once, and only if the other settings of a finished run are equal.
    """
    wanted = WantedRun(config, data_checksum)
    for path in folders:
        if RunFolder(path).finished and wanted.is_in(path):
            return path
    return None


def open_run(config: Run, name: str, data_checksum: str) -> RunFolder:
    """Open the folder that this process works in: a new one, or one that `resume` names.

    Processes other than the first of a run take the folder that the first one opened.

    Args:
        config: configuration of the run; its `resume` and `runs` decide about the folder.
        name: first part of the name of a new folder; the time of its creation follows.
        data_checksum: checksum of the data set.

    Raises:
        UserError: the folder to resume is missing, in use, finished, or has other settings, or
            no folder can be created.
    """
    processes = config.trainer.processes
    if rank(processes) > 0:
        return RunFolder(Path(told_folder(processes)), writes=False)
    folder = None
    try:
        folder = _open(WantedRun(config, data_checksum), name)
    finally:
        tell_folder(None if folder is None else str(folder.path.absolute()), processes)
    return folder


def _open(wanted: WantedRun, name: str) -> RunFolder:
    match wanted.config.resume:
        case "never":
            return _create(wanted, name)
        case "auto":
            return _newest_unfinished(wanted, name) or _create(wanted, name)
        case path:
            return _named(wanted, expanded("resume", path))


def _create(wanted: WantedRun, name: str) -> RunFolder:
    """Create and lock a folder with a name of its own, and write the fingerprint into it."""
    runs = wanted.config.runs
    parent = expanded("runs", runs)
    while True:
        # Nanoseconds in the name: the order of names is the order of creation.
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(seconds))
        path = parent / f"{name}-{moment}-{nanoseconds:09d}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"runs={runs}: no folder can be made there ({error.strerror}): take another"
            ) from error
        break
    folder = RunFolder(path)
    folder.try_lock()
    folder.write_json("fingerprint.json", wanted.to_json())
    return folder


def _newest_unfinished(wanted: WantedRun, name: str) -> RunFolder | None:
    """Lock and return the newest unfinished folder of the same run that is not in use.

    If there is none, a note tells of the unfinished run that differs least.
    """
    others = []
    runs = expanded("runs", wanted.config.runs)
    # isdir is False also for a name that is too long, for which glob raises an OSError.
    candidates = runs.glob(f"{name}-*") if os.path.isdir(runs) else ()
    for path in sorted(candidates, reverse=True):
        folder = RunFolder(path)
        if folder.finished:
            continue
        if not wanted.is_in(path):
            others.append(path)
        elif folder.try_lock():
            if not folder.finished:  # the process that held the lock may have finished it
                return folder
            folder.release()
    _print_nearest(wanted, others)
    return None


def _print_nearest(wanted: WantedRun, unfinished: list[Path]) -> None:
    """Print a note on the unfinished run that differs in the fewest settings, if these are few."""
    near: list[tuple[Path, list[str]]] = []
    for path in unfinished:
        stored = stored_fingerprint(path)
        if stored is not None and not is_locked(path / ".lock"):
            near.append((path, wanted.differences(path, stored)))
    path, changes = min(near, key=lambda pair: len(pair[1]), default=(Path(), []))
    if 0 < len(changes) <= FEW:
        print(
            f"note: {path} is unfinished, but {' and '.join(changes)}: a new run begins",
            flush=True,
        )


def _named(wanted: WantedRun, path: Path) -> RunFolder:
    """Lock and return the given folder of an unfinished run, which must be the same."""
    folder = RunFolder(path)
    if folder.read_json("fingerprint.json") is None:
        raise UserError(f"resume={path} is no run folder: give one that a run printed, or auto")
    stored = stored_fingerprint(path)
    if stored is None:
        raise UserError(
            f"resume={path} has a fingerprint.json that this version cannot read: go on with the "
            "version of ltnas that began the run, or start anew without resume"
        )
    if not wanted.is_in(path):
        raise UserError(
            f"resume={path} is a run of another configuration "
            f"({'; '.join(wanted.differences(path, stored))}): give the same keys as then, or "
            "start anew without resume"
        )
    if folder.finished:
        raise UserError(f"resume={path} has finished: start anew without resume")
    if not folder.try_lock():
        raise UserError(
            f"resume={path} is being worked on by another process, or not yours to write in: let "
            "it end, or copy the folder"
        )
    return folder
