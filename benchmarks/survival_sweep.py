"""python -m benchmarks.survival_sweep [jobs=12] [kills=8] [seed=0]: sweeps that are killed.

A sweep of small searches is started again and again; each time either one of its jobs or the
launcher is killed by SIGKILL at a random moment, until there have been enough kills of both kinds.
At the end every job must have exactly one finished run. A kill that finds no process left does not
count.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

SIZES = (
    *("data=digits", "data.image_size=8", "imbalance=exp0.1", "trainer=cpu", "trainer.threads=1"),
    *("cells=3", "channels=4", "batch_size=32", "limit_batches=2", "epochs=3", "space.nodes=2"),
)
LAUNCHER = ("hydra/launcher=gpus", "hydra.launcher.jobs=2")
PATIENCE = 6.0
"""Largest number of seconds before a kill; a job takes five to ten."""


def main() -> None:
    """Start and kill the sweep until there have been enough kills, then check its runs."""
    words = dict(word.split("=") for word in sys.argv[1:])
    jobs, kills = int(words.get("jobs", 12)), int(words.get("kills", 8))
    draws = random.Random(int(words.get("seed", 0)))
    with tempfile.TemporaryDirectory() as name:
        folder, killed = Path(name), Counter[str]()
        while killed.total() < kills:
            sweep = start(folder, jobs)
            time.sleep(draws.uniform(0, PATIENCE))
            victim = kill(sweep, ("launcher", "job")[killed.total() % 2], draws)
            code = sweep.wait()
            if victim is None:
                assert code == 0, (folder / "log").read_text()
                break  # all jobs were done before there were enough kills
            print(f"killed a {victim}, exit code {code}", flush=True)
            # A killed job makes the sweep fail, unless it had already written its result.
            assert code in ((-signal.SIGKILL,) if victim == "launcher" else (0, 2))
            killed[victim] += 1
        sweep = start(folder, jobs)
        assert sweep.wait() == 0, (folder / "log").read_text()
        seeds = Counter(
            json.loads(path.read_text())["seed"] for path in folder.glob("runs/*/metrics.json")
        )
        assert seeds == Counter(range(jobs)), seeds
    print(f"{jobs} jobs, each finished once, after {dict(killed)}")


def start(folder: Path, jobs: int) -> subprocess.Popen[bytes]:
    """Start the sweep in a folder."""
    seeds = ",".join(map(str, range(jobs)))
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "ltnas.search", "-m", *SIZES, *LAUNCHER, f"seed={seeds}"],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def kill(sweep: subprocess.Popen[bytes], wanted: str, draws: random.Random) -> str | None:
    """Kill the launcher, or one of its jobs as soon as there is one.

    Args:
        sweep: process of the launcher.
        wanted: `launcher` or `job`.
        draws: generator that chooses the job.

    Returns:
        The kind of process that was killed; None if the sweep had already ended.
    """
    while sweep.poll() is None:
        if wanted == "launcher":
            sweep.send_signal(signal.SIGKILL)
            return wanted
        listed = Path(f"/proc/{sweep.pid}/task").glob("*/children")
        jobs = [int(word) for path in listed for word in path.read_text().split()]
        if jobs:
            os.kill(draws.choice(jobs), signal.SIGKILL)
            return wanted
        time.sleep(0.01)
    return None


if __name__ == "__main__":
    main()
