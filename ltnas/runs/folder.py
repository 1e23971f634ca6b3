"""Run folders: unique, never half-written, found again to go on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ltnas.errors import UserError
from ltnas.runs.atomic import atomically
from ltnas.runs.locks import lock

FAILURE = "failure.txt"
"""Why the last process that worked in a run folder has failed."""


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
        self.release()

    def release(self) -> None:
        """Let other processes work in the folder."""
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


def run_folders(folder: Path) -> Iterator[Path]:
    """All run folders in and below a folder."""
    for where, below, files in os.walk(folder, followlinks=True):
        if "fingerprint.json" in files:
            below.clear()  # stages of a run are no runs
            yield Path(where)
