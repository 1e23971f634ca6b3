"""One job of a sweep: a command in a process of its own, its output in a file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from ltnas.command import LAUNCHER_VARIABLE, SWEEP_VARIABLE
from ltnas.sweeps.devices import Place

GRACE = 20.0
"""Seconds that a job has to end after it was asked to."""
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
    state: str = "waiting"
    place: str = ""
    folder: str = ""
    started: float = 0.0
    seconds: float = 0.0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    stage: tuple[str, float, int] = ("", 0.0, 0)
    """Which one is running, when that was first seen, and how many epochs it had by then."""

    def run(self, module: str, place: Place) -> None:
        """Run it here to its end.

        Args:
            module: of the command, for `python -m`.
            place: whose environment it gets.
        """
        self.state, self.place, self.started = "running", place.name, time.monotonic()
        # An experiment may say that it is a sweep: a job of it is none, or it would start its own.
        command = [sys.executable, "-m", module, *self.overrides, "hydra.mode=RUN"]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment(place),
                start_new_session=True,  # an interrupt of ours is ours to hand on
            )
            code = self.process.wait()
        self.seconds = time.monotonic() - self.started
        if self.state == "running":
            self.state = "failed" if code else "done"
        lines = self.text().splitlines()
        self.folder = lines[-1] if lines and not code else ""

    def environment(self, place: Place) -> dict[str, str]:
        """Of its process."""
        own = {
            "PYTHONUNBUFFERED": "1",
            SWEEP_VARIABLE: self.output.parent.name,
            LAUNCHER_VARIABLE: str(os.getpid()),
        }
        return {**os.environ, **place.environment, **own}

    def stop(self) -> None:
        """Ask it to end, as an interrupt does, and after a while make it."""
        if self.state == "waiting":
            self.state = "stopped"
        if self.process is None or self.process.poll() is not None:
            return
        self.state = "stopped"
        os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)

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
        if self.stage[0] != stage:
            self.stage = (stage, now, done) if self.stage[0] else (stage, self.started, 0)
        _, since, before = self.stage
        return (now - since) / (done - before) * (epochs - done) if done > before else None

    def last_words(self) -> str:
        """Why it failed, as far as its last line says."""
        lines = [line.strip() for line in self.text().splitlines() if line.strip()]
        return lines[-1].removeprefix("ltnas: ") if lines else "no output"
