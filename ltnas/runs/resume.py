"""New run folders, and run folders that are found again to be resumed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from ltnas.config import Run
from ltnas.distributed.processes import rank, tell_folder, told_folder
from ltnas.errors import UserError
from ltnas.runs.fingerprint import differences, fingerprint, stored_fingerprint
from ltnas.runs.folder import RunFolder


def finished_run(config: Run, folders: Iterable[Path]) -> Path | None:
    """A finished run of a configuration among run folders."""
    wanted = fingerprint(config)
    for path in folders:
        if RunFolder(path).finished and stored_fingerprint(path) == wanted:
            return path
    return None


def open_run(config: Run, name: str) -> RunFolder:
    """The folder that this process works in: a new one, or the one to go on with.

    Args:
        config: of the run; `resume` and `runs` decide.
        name: what new folders are called, before the time of creation.

    Raises:
        UserError: the folder to go on with is missing, busy, finished, or of another config.
    """
    processes = config.trainer.processes
    if rank(processes) > 0:
        return RunFolder(Path(told_folder(processes)), writes=False)
    folder = None
    try:
        folder = _open(config, name)
    finally:
        tell_folder(None if folder is None else str(folder.path.absolute()), processes)
    return folder


def _open(config: Run, name: str) -> RunFolder:
    match config.resume:
        case "never":
            return _create(config, name)
        case "auto":
            return _newest_unfinished(config, name) or _create(config, name)
        case where:
            return _named(config, Path(where).expanduser())


def _create(config: Run, name: str) -> RunFolder:
    root = Path(config.runs).expanduser()
    while True:
        # To the nanosecond: names in their order are runs in the order of their creation.
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        moment = time.strftime("%Y%m%d-%H%M%S", time.localtime(seconds))
        path = root / f"{name}-{moment}-{nanoseconds:09d}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(
                f"runs={config.runs}: no folder can be made there ({error.strerror}): take another"
            ) from error
        break
    folder = RunFolder(path)
    folder.try_lock()
    folder.write_json("fingerprint.json", fingerprint(config))
    return folder


def _newest_unfinished(config: Run, name: str) -> RunFolder | None:
    wanted = fingerprint(config)
    for path in sorted(Path(config.runs).expanduser().glob(f"{name}-*"), reverse=True):
        folder = RunFolder(path)
        if folder.finished or stored_fingerprint(path) != wanted:
            continue
        if folder.try_lock():
            if not folder.finished:  # by the process that had the lock just now
                return folder
            folder.release()
    return None


def _named(config: Run, path: Path) -> RunFolder:
    folder = RunFolder(path)
    if folder.read_json("fingerprint.json") is None:
        raise UserError(f"resume={path} is no run folder: give one that a run printed, or auto")
    stored, wanted = stored_fingerprint(path), fingerprint(config)
    if stored is None:
        raise UserError(
            f"resume={path} has a fingerprint.json that this version cannot read: go on with the "
            "version of ltnas that began the run, or start anew without resume"
        )
    if stored != wanted:
        raise UserError(
            f"resume={path} is a run of another configuration "
            f"({'; '.join(differences(stored, wanted))}): give the same keys as then, or start "
            "anew without resume"
        )
    if folder.finished:
        raise UserError(f"resume={path} has finished: start anew without resume")
    if not folder.try_lock():
        raise UserError(
            f"resume={path} is being worked on by another process, or not yours to write in: let "
            "it end, or copy the folder"
        )
    return folder
