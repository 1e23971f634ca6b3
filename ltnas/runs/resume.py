"""Opening of run folders: new ones, and those of runs that are resumed."""

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
    """Return the folder of a finished run with this configuration; None if there is none."""
    wanted = fingerprint(config)
    for path in folders:
        if RunFolder(path).finished and stored_fingerprint(path) == wanted:
            return path
    return None


def open_run(config: Run, name: str) -> RunFolder:
    """Open the folder that this process works in: a new one, or one that `resume` names.

    Processes other than the first of a run take the folder that the first one opened.

    Args:
        config: configuration of the run; its `resume` and `runs` decide about the folder.
        name: first part of the name of a new folder; the time of its creation follows.

    Raises:
        UserError: the folder to resume is missing, in use, finished, or has other settings, or
            no folder can be created.
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
        case path:
            return _named(config, Path(path).expanduser())


def _create(config: Run, name: str) -> RunFolder:
    """Create and lock a folder with a name of its own, and write the fingerprint into it."""
    root = Path(config.runs).expanduser()
    while True:
        # Nanoseconds in the name: the order of names is the order of creation.
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
    """Lock and return the newest unfinished folder with the same fingerprint that is not in use."""
    wanted = fingerprint(config)
    for path in sorted(Path(config.runs).expanduser().glob(f"{name}-*"), reverse=True):
        folder = RunFolder(path)
        if folder.finished or stored_fingerprint(path) != wanted:
            continue
        if folder.try_lock():
            if not folder.finished:  # the process that held the lock may have finished it
                return folder
            folder.release()
    return None


def _named(config: Run, path: Path) -> RunFolder:
    """Lock and return the given folder of an unfinished run with the same fingerprint."""
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
