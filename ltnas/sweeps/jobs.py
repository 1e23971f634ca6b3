"""One job of a sweep: a command in a process of its own, its output in a file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ltnas.runs.environment import LAUNCHER_VARIABLE, SWEEP_VARIABLE
from ltnas.sweeps.devices import Place

PROGRESS = re.compile(r"^(\S+) (\d+)/(\d+) .* test ([\d.]+)%", re.M)
"""The line that a run prints after each epoch."""


@dataclass
class Job:
    """A single run of a sweep.

    `state` is `waiting`, `running`, `done`, `done before`, `failed` or `stopped`; `folder` is its
    run folder, once that is known.
    """

    number: int
    overrides: list[str]
    output: Path
    sweep: str = ""
    """Its name, by which a dashboard groups runs; of the folder of `output` if there is none."""
    state: str = "waiting"
    place: str = ""
    folder: str = ""
    started: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    """Why it failed, if that is not in its output."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    guard: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """So that it is either ended before it starts, or found running by who ends it."""
    stage: tuple[str, float, int] = ("", 0.0, 0)
    """Which one is running, when that was first seen, and how many epochs it had by then."""

    def start(self, command: Sequence[str], place: Place) -> bool:
        """Start it, unless it was ended before; whether it runs now.

        Args:
            command: that its words are added to.
            place: whose environment it gets.
        """
        with self.guard:
            if self.state != "waiting":
                return False
            self.state, self.place, self.started = "running", place.name, time.monotonic()
            try:
                with self.output.open("wb") as output:
                    self.process = subprocess.Popen(
                        # An experiment may say that it is a sweep: a job of it is none, or it
                        # would start its own.
                        [*command, *self.overrides, "hydra.mode=RUN"],
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=self.environment(place),
                        start_new_session=True,  # an interrupt of ours is ours to hand on
                    )
            except OSError as error:
                self.state, self.reason = "failed", f"{error.filename}: {error.strerror}"
        return self.process is not None

    def wait(self) -> None:
        """Until it has ended; then its state and its run folder are known."""
        assert self.process is not None
        code = self.process.wait()
        self.seconds = time.monotonic() - self.started
        lines = self.text().splitlines()
        folder = lines[-1] if lines and not code else ""
        if folder and (Path(folder) / "metrics.json").is_file():
            self.folder = folder
        if code < 0:
            killed = signal.Signals(-code).name
            memory = ", perhaps for want of memory" if killed == "SIGKILL" else ""
            self.reason = f"killed by {killed}{memory}"
        elif not code and not self.folder:
            self.reason = "it ended without a result"
        with self.guard:
            if self.state == "running":
                self.state = "done" if self.folder else "failed"

    def environment(self, place: Place) -> dict[str, str]:
        """Of its process."""
        own = {
            "PYTHONUNBUFFERED": "1",
            SWEEP_VARIABLE: self.sweep or self.output.parent.name,
            LAUNCHER_VARIABLE: str(os.getpid()),
        }
        return {**os.environ, **place.environment, **own}

    def end(self, how: signal.Signals) -> None:
        """Let it not start, or send its processes a signal."""
        with self.guard:
            if self.state in ("waiting", "running"):
                self.state = "stopped"
            if self.is_alive():
                assert self.process is not None
                with suppress(ProcessLookupError):  # it has ended just now
                    os.killpg(self.process.pid, how)

    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.process is not None and self.process.poll() is None

    def text(self) -> str:
        """What it has printed so far."""
        try:
            return self.output.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def progress(self) -> tuple[str, int, int, str] | None:
        """Stage, epochs done, epochs in all, last test accuracy in per cent; None before that."""
        found = PROGRESS.findall(self.text())
        if not found:
            return None
        stage, done, epochs, accuracy = found[-1]
        return stage, int(done), int(epochs), accuracy

    def seconds_left(self) -> float | None:
        """Of its present stage, at the pace so far; None if that is not known."""
        progress = self.progress()
        if self.state != "running" or progress is None:
            return None
        stage, done, epochs, _ = progress
        now = time.monotonic()
        if not self.stage[0]:  # it may have gone on after epochs of an earlier process
            first = next(int(found[1]) for found in PROGRESS.findall(self.text()))
            self.stage = (stage, self.started, first - 1)
        elif self.stage[0] != stage:
            self.stage = (stage, now, done)
        _, since, before = self.stage
        return (now - since) / (done - before) * (epochs - done) if done > before else None

    def last_words(self) -> str:
        """Why it failed, as far as that is known or its last line says."""
        if self.reason:
            return self.reason
        lines = [line.strip() for line in self.text().splitlines() if line.strip()]
        return lines[-1].removeprefix("ltnas: ") if lines else "no output"
