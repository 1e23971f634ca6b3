"""python -m benchmarks.survival [kills=100] [seed=0]: runs that are killed at random and resumed.

Searches and trainings on the digits are killed by SIGKILL again and again, each time after a random
share of the time that a whole run takes, and restarted with `resume=auto`. After each kill every
file in the run folder must be complete; at the end the result must be bit-identical to that of a
run that was never killed. Runs are forks of one process that has imported everything, so that a
hundred of them take minutes.
"""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ltnas.config import Data, Imbalance, RetrainConfig, Run, SearchConfig, Space, Trainer
from ltnas.retrain import retrain
from ltnas.search import search

SAME = {
    "search": ("history.csv", "architecture.csv", "genotypes.json", "genotype.json"),
    "retrain": ("history.csv", "genotype.json", "network.safetensors"),
}
"""Files that must be bit-identical for runs of the same seed, by kind of run."""
TRIES = 60
"""Largest number of starts of a run; a run that needs more does not make progress."""
PATIENCE = 1.1
"""Factor by which the longest time before a kill grows from start to start: a machine that has
become slower since the whole run was timed would else kill each start before its first checkpoint.
"""


def main() -> None:
    """Kill runs until there have been enough kills."""
    words = dict(word.split("=") for word in sys.argv[1:])
    kills, draws = int(words.get("kills", 100)), random.Random(int(words.get("seed", 0)))
    load()
    done, runs = 0, 0
    with tempfile.TemporaryDirectory() as name:
        wholes = {kind: whole(kind, Path(name) / kind) for kind in SAME}
        while done < kills:
            kind = ("search", "retrain")[runs % 2]
            done += torture(kind, Path(name) / f"{kind}-{runs}", *wholes[kind], draws)
            runs += 1
            print(f"{runs} runs, {done} kills: all files whole, all ends the same", flush=True)


def load() -> None:
    """Import everything that a run imports, without starting a thread, or forks would hang."""
    import lightning  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import sklearn.datasets

    import ltnas.training.retrain_module
    import ltnas.training.search_module
    import ltnas.training.trainer  # noqa: F401

    sklearn.datasets.load_digits()


def config(kind: str, runs: Path) -> Run:
    """Return the configuration of a short run."""
    common: dict[str, Any] = {
        "data": Data(source="digits", image_size=8, cache=None),
        "imbalance": Imbalance("exp", 0.1),
        "trainer": Trainer(accelerator="cpu", threads=1),
        **{"runs": str(runs), "resume": "auto", "cells": 3, "channels": 4, "epochs": 4},
        **{"limit_batches": 3, "batch_size": 32},
    }
    if kind == "search":
        return SearchConfig(**common, space=Space(nodes=2))
    # Two stages, so that kills also happen in the first stage and between the stages.
    pretrain: dict[str, Any] = {"pretrain": "barlow_twins", "pretrain_epochs": 2}
    own: dict[str, Any] = {"genotype": "darts_v2", "auxiliary": 0.0, "cutout": 0}
    return RetrainConfig(**common, **own, **pretrain)


def start(kind: str, runs: Path) -> int:
    """Start a run in a forked process and return its process id."""
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    runs.mkdir(parents=True, exist_ok=True)
    os.dup2(os.open(runs / "errors.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    code = 1
    try:
        command: Callable[[Any], Path] = {"search": search, "retrain": retrain}[kind]
        command(config(kind, runs))
        code = 0
    except BaseException:  # the parent process sees the exit code
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def whole(kind: str, runs: Path) -> tuple[Path, float]:
    """Complete a run without kills; return its folder and the seconds that it took."""
    started = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(start(kind, runs), 0)[1])
    assert code == 0, (runs / "errors.txt").read_text()
    return folder_of(runs), time.monotonic() - started


def torture(kind: str, runs: Path, reference: Path, seconds: float, draws: random.Random) -> int:
    """Kill and restart a run until it completes, compare its result, and return the kills."""
    for kills in range(TRIES):
        process, delay = start(kind, runs), draws.uniform(0, seconds * PATIENCE**kills)
        started, code = time.monotonic(), None
        while code is None and time.monotonic() - started < delay:
            found, status = os.waitpid(process, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if found else None
            time.sleep(0.001)
        if code is None:
            os.kill(process, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert code in (0, -signal.SIGKILL), (runs / "errors.txt").read_text()
        for folder in runs.glob("*-*/"):
            check_files(folder)
        if any(runs.glob("*/metrics.json")):  # complete, even if it was killed while it exited
            compare(folder_of(runs), reference, SAME[kind])
            return kills + (code != 0)
        assert code != 0, "a run has ended without its result"
    raise AssertionError(f"{runs} was started {TRIES} times and has not ended")


def folder_of(runs: Path) -> Path:
    """Return the folder of the completed run; a run killed early leaves an empty folder."""
    (found,) = (path.parent for path in runs.glob("*/metrics.json"))
    return found


def check_files(folder: Path) -> None:
    """Check that every file in a run folder is complete."""
    for path in folder.rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".csv":
            text = path.read_text(encoding="utf-8")
            assert text.endswith("\n"), path
            assert len({len(row) for row in csv.reader(text.splitlines())}) == 1, path
        elif path.suffix == ".ckpt":
            with ZipFile(path) as archive:
                assert archive.testzip() is None, path
        else:
            assert path.stat().st_size > 0, path


def compare(folder: Path, reference: Path, names: tuple[str, ...]) -> None:
    """Check that a result is bit-identical to the reference and no temporary file is left."""
    for name in names:
        assert (folder / name).read_bytes() == (reference / name).read_bytes(), (folder, name)
    assert not list(folder.rglob(".*.partial")), folder


if __name__ == "__main__":
    main()
