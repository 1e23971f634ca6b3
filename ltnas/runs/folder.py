"""Run folders: unique, never half-written, found again to go on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ltnas.config import Run
from ltnas.distributed.processes import rank, tell_folder, told_folder
from ltnas.errors import UserError
from ltnas.runs.locks import lock

FAILURE = "failure.txt"
"""Why the last process that worked in a run folder has failed."""
FREE_KEYS = {"resume", "runs", "logger", "trainer"}
"""Keys that a resumed run may change: what is computed does not depend on them."""


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` only when all is on the disk.

    Raises:
        UserError: it could not be written, for want of space for example; what was there stays.
    """
    partial = path.parent / f".{path.name}.{os.getpid()}.partial"
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} could not be written ({error.strerror or error}): make room, then go on with "
            "resume=auto; what was saved before is whole"
        ) from error
    finally:
        partial.unlink(missing_ok=True)


@dataclass
class RunFolder:
    """The files of one run; written by the first process alone.

    In a `with` statement others are kept out until its end.
    """

    path: Path
    writes: bool = True
    lock: IO[bytes] | None = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: object = None, error: object = None, trace: object = None) -> None:
        if isinstance(error, Exception):  # an interrupt is no failure
            with suppress(UserError):  # there may be no room for a word
                self.write_text(FAILURE, " ".join(f"{error}".split()) or type(error).__name__)
        if self.lock is not None:
            self.lock.close()

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, whole or not at all."""
        if self.writes:
            with atomically(self.path / name) as partial:
                partial.write_text(text, encoding="utf-8")

    def write_json(self, name: str, data: object) -> None:
        """Write a JSON file, whole or not at all."""
        self.write_text(name, json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> Any:  # noqa: ANN401 - whatever was written
        """The content of a JSON file, or None if there is none."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    @property
    def checkpoint(self) -> Path:
        """Where the state after the last whole epoch is."""
        return self.path / "checkpoint.ckpt"

    @property
    def finished(self) -> bool:
        """Whether the run came to its end: metrics are the last thing that it writes."""
        return (self.path / "metrics.json").exists()

    def try_lock(self) -> bool:
        """Whether no other living process works in the folder; if so, this one does from now on."""
        try:
            file = (self.path / ".lock").open("wb")
        except OSError:  # a folder of somebody else's
            return False
        if not lock(file, wait=False):
            file.close()
            return False
        self.lock = file
        for partial in self.path.rglob(".*.partial"):  # of a process that was killed
            partial.unlink(missing_ok=True)
        (self.path / FAILURE).unlink(missing_ok=True)  # it is gone on with
        return True


def fingerprint(config: Run) -> dict[str, Any]:
    """What decides a run's result, in plain types."""
    data = {key: value for key, value in asdict(config).items() if key not in FREE_KEYS}
    data["types"] = {
        key: type(value).__name__
        for key, value in vars(config).items()
        if hasattr(value, "__dict__")
    }
    data["data"] = {key: value for key, value in data["data"].items() if key != "cache"}
    return data


def fingerprint_of(config: Run) -> Any:  # noqa: ANN401 - as it is read back
    """The fingerprint as a file holds it."""
    return json.loads(json.dumps(fingerprint(config)))


def stored_fingerprint(folder: Path) -> Any:  # noqa: ANN401 - whatever was written
    """That of a run folder; None if it has none."""
    return RunFolder(folder).read_json("fingerprint.json")


def run_folders(folder: Path) -> Iterator[Path]:
    """All run folders in and below a folder."""
    for where, below, files in os.walk(folder, followlinks=True):
        if "fingerprint.json" in files:
            below.clear()  # stages of a run are no runs
            yield Path(where)


def finished_run(config: Run, folders: Iterable[Path]) -> Path | None:
    """A finished run of a configuration among run folders."""
    wanted = fingerprint_of(config)
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
    wanted = fingerprint_of(config)
    for path in sorted(Path(config.runs).expanduser().glob(f"{name}-*"), reverse=True):
        folder = RunFolder(path)
        if folder.finished or folder.read_json("fingerprint.json") != wanted:
            continue
        if folder.try_lock():
            if not folder.finished:  # by the process that had the lock just now
                return folder
            folder.__exit__()
    return None


def _named(config: Run, path: Path) -> RunFolder:
    folder = RunFolder(path)
    stored = folder.read_json("fingerprint.json")
    if stored is None:
        raise UserError(f"resume={path} is no run folder: give one that a run printed, or auto")
    wanted = fingerprint_of(config)
    changed = sorted(key for key in {**stored, **wanted} if stored.get(key) != wanted.get(key))
    if changed:
        key = changed[0]
        raise UserError(
            f"resume={path} is a run of another configuration ({key} was {stored.get(key)}, now "
            f"{wanted.get(key)}): give the same keys as then, or start anew without resume"
        )
    if folder.finished:
        raise UserError(f"resume={path} has finished: start anew without resume")
    if not folder.try_lock():
        raise UserError(
            f"resume={path} is being worked on by another process, or not yours to write in: let "
            "it end, or copy the folder"
        )
    return folder
