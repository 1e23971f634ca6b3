"""One job of a sweep: a command in its own process, with its output in a file."""

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

PROGRESS = re.compile(r"^(\S+) (\d+)/(\d+)  loss \S+(?:.* test ([\d.]+)%)?", re.M)
"""Line that a run prints after each epoch: stage, epoch, number of epochs, test accuracy.

The accuracy is the number that ranks results, macro accuracy if the test images are not balanced;
it is missing in epochs without a test.
"""


@dataclass
class Job:
    """A single run of a sweep.

    `state` is `waiting`, `running`, `done`, `done before`, `failed` or `stopped`; `folder` is the
    run folder, empty until it is known; `output` is the file that receives what the job prints.
    """

    number: int
    overrides: list[str]
    output: Path
    sweep: str = ""
    """Name of the sweep, by which a dashboard groups runs; by default that of output's folder."""
    state: str = "waiting"
    place: str = ""
    folder: str = ""
    started: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    """Reason of a failure, if it is not in the output."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held while the job is started or stopped, so that no job starts after it was stopped."""
    stage: tuple[str, float, int] = ("", 0.0, 0)
    """Current stage, the time at which it was first seen, and its finished epochs at that time."""

    def start(self, command: Sequence[str], place: Place) -> bool:
        """Start the job unless it was stopped before; return True if it runs.

        Args:
            command: command that the job's overrides are appended to.
            place: place of the job, whose environment it gets.
        """
        with self.lock:
            if self.state != "waiting":
                return False
            self.state, self.place, self.started = "running", place.name, time.monotonic()
            try:
                with self.output.open("wb") as output:
                    self.process = subprocess.Popen(
                        # An experiment may set hydra.mode=MULTIRUN; a job must not start a sweep.
                        [*command, *self.overrides, "hydra.mode=RUN"],
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=self.environment(place),
                        start_new_session=True,  # Ctrl-C reaches jobs only through `stop`
                    )
            except OSError as error:
                self.state, self.reason = "failed", f"{error.filename}: {error.strerror}"
        return self.process is not None

    def wait(self) -> None:
        """Wait until the process has ended, then set state, run folder and reason of a failure."""
        assert self.process is not None
        code = self.process.wait()
        self.seconds = time.monotonic() - self.started
        # The last line of a command's output is its run folder.
        lines = self.text().splitlines()
        folder = lines[-1] if lines and not code else ""
        if folder and (Path(folder) / "metrics.json").is_file():
            self.folder = folder
        # A negative exit code is the number of a signal.
        if code < 0:
            killed = signal.Signals(-code).name
            memory = ", perhaps because memory ran out" if killed == "SIGKILL" else ""
            self.reason = f"killed by {killed}{memory}"
        elif not code and not self.folder:
            self.reason = "it ended without a result"
        with self.lock:
            if self.state == "running":
                self.state = "done" if self.folder else "failed"

    def environment(self, place: Place) -> dict[str, str]:
        """Return the environment variables of the job's process."""
        variables = {
            "PYTHONUNBUFFERED": "1",
            SWEEP_VARIABLE: self.sweep or self.output.parent.name,
            LAUNCHER_VARIABLE: str(os.getpid()),
        }
        return {**os.environ, **place.environment, **variables}

    def stop(self, how: signal.Signals) -> None:
        """Cancel a waiting job, or send a signal to the processes of a running one."""
        with self.lock:
            if self.state in ("waiting", "running"):
                self.state = "stopped"
            if self.is_alive():
                assert self.process is not None
                with suppress(ProcessLookupError):  # it has ended in the meantime
                    os.killpg(self.process.pid, how)

    def is_alive(self) -> bool:
        """Return True if the job's process is running."""
        return self.process is not None and self.process.poll() is None

    def text(self) -> str:
        """Return everything that the job has printed so far."""
        try:
            return self.output.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def progress(self) -> tuple[str, int, int, str] | None:
        """Return stage, finished epochs, all epochs and test accuracy in per cent.

        None before the first epoch has ended.
        """
        lines = PROGRESS.findall(self.text())
        if not lines:
            return None
        stage, done, epochs, _ = lines[-1]
        tested = [accuracy for name, _, _, accuracy in lines if accuracy and name == stage]
        return stage, int(done), int(epochs), tested[-1] if tested else ""

    def seconds_left(self) -> float | None:
        """Return the expected seconds until the current stage ends, or None if unknown."""
        progress = self.progress()
        if self.state != "running" or progress is None:
            return None
        stage, done, epochs, _ = progress
        now = time.monotonic()
        if not self.stage[0]:
            # A resumed job starts at the epoch of its first line, not at 1.
            first = next(int(line[1]) for line in PROGRESS.findall(self.text()))
            self.stage = (stage, self.started, first - 1)
        elif self.stage[0] != stage:
            self.stage = (stage, now, done)
        _, since, before = self.stage
        # Seconds for each epoch of this stage so far, times the epochs that are left.
        return (now - since) / (done - before) * (epochs - done) if done > before else None

    def failure(self) -> str:
        """Return the reason of a failure: the known one, or else the last line of the output."""
        if self.reason:
            return self.reason
        lines = [line.strip() for line in self.text().splitlines() if line.strip()]
        return lines[-1].removeprefix("ltnas: ") if lines else "no output"
