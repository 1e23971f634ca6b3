"""Run folders: their files, their lock, and how they are found."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ltnas.errors import UserError
from ltnas.runs.atomic import atomically
from ltnas.runs.locks import lock
from ltnas.runs.user_paths import expanded

FAILURE = "failure.txt"
"""File with the error that ended the last process in a run folder."""

MOMENT = re.compile(r"-\d{8}-\d{6}-\d+$")
"""End of the name of a run folder: date, time and nanoseconds."""


@dataclass
class RunFolder:
    """Files of one run.

    In a `with` statement the folder is released at the end, and an error is written to `FAILURE`.
    """

    path: Path
    writes: bool = True
    """True in the first process of a run, which alone writes files."""
    lock: IO[bytes] | None = None
    """Open lock file, if this process works in the folder."""

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: object = None, error: object = None, trace: object = None) -> None:
        if isinstance(error, Exception):  # an interrupt is no failure
            with suppress(UserError):  # the disk may be full
                self.write_text(FAILURE, " ".join(f"{error}".split()) or type(error).__name__)
        self.release()

    def release(self) -> None:
        """Let other processes work in the folder."""
        if self.lock is not None:
            self.lock.close()

    def write_text(self, name: str, text: str) -> None:
        """Write a text file atomically."""
        if self.writes:
            with atomically(self.path / name) as partial:
                partial.write_text(text, encoding="utf-8")

    def write_json(self, name: str, data: object) -> None:
        """Write a JSON file atomically."""
        self.write_text(name, json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    def read_json(self, name: str) -> Any:  # noqa: ANN401 - whatever was written
        """Return the content of a JSON file, or None if there is no valid one."""
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint after the last complete epoch."""
        return self.path / "checkpoint.ckpt"

    def checkpoint_of(self, stage: int, stages: int) -> Path:
        """Return the path of the checkpoint of a stage, of which the last has the usual name.

        Args:
            stage: number of the stage, from 0.
            stages: number of stages of the run.
        """
        last = stage == stages - 1
        return self.checkpoint if last else self.path / f"stage-{stage + 1}.ckpt"

    @property
    def finished(self) -> bool:
        """True if the run has finished: metrics.json is the last file that it writes."""
        return (self.path / "metrics.json").exists()

    def try_lock(self) -> bool:
        """Lock the folder for this process; return False if another process works in it.

        Partial files of killed processes and the error of the last one are removed.
        """
        try:
            file = (self.path / ".lock").open("wb")
        except OSError:  # no permission to write
            return False
        if not lock(file, wait=False):
            file.close()
            return False
        self.lock = file
        for partial in self.path.rglob(".*.partial"):  # of a process that was killed
            partial.unlink(missing_ok=True)
        (self.path / FAILURE).unlink(missing_ok=True)  # the run continues
        return True


def without_time(name: str) -> str:
    """Return the name of a run folder without the moment at which it was made; others as they are.

    Tables and pictures have no room for it.
    """
    return MOMENT.sub("", name)


def is_run_folder(path: str | Path) -> bool:
    """Return True if the path is a run folder; False also for a text that can be no path."""
    return os.path.isfile(os.path.join(path, "fingerprint.json"))


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield all run folders in and below a folder, each once; links are followed.

    Folders precede links, so that a folder is yielded by its own path rather than by a link.
    """
    visited: set[str] = set()
    for path, subfolders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(path)
        if real in visited:  # links may lead in a circle
            subfolders.clear()
            continue
        visited.add(real)
        if "fingerprint.json" in files:
            subfolders.clear()  # the stages of a run are part of it
            yield Path(path)
        subfolders.sort(key=lambda name: (os.path.islink(os.path.join(path, name)), name))


def open_folder(out: str) -> RunFolder:
    """Return the folder `out` of a command that makes no run, made if necessary.

    Raises:
        UserError: it cannot be made.
    """
    path = expanded("out", out)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise UserError(f"out={out} cannot be created ({error}): choose another folder") from error
    return RunFolder(path)
