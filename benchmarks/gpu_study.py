"""Checks, timings, searches and trainings on a GPU that is there for minutes, most wanted first.

    python -m benchmarks.gpu_study out=FOLDER data=FOLDER [state=FOLDER] [minutes=8] [device=cuda]
        [commit=] [pieces=all] [small=]

Each call does as much as fits into its minutes and leaves in `out`: results.tar.gz with a JSON file
for each finished piece, and state.000, state.001, ... of at most 15 MiB with all that a later call
needs to go on (checkpoints, genotypes). Give that folder as `state` to the next call. `data` is a
folder with CIFAR-10 as Parquet. `pieces` limits the study to some pieces by name, and `small` holds
words, separated by commas, that make searches and trainings small enough for a trial on the CPU.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import harness

DEFAULTS = {
    "out": "",
    "data": "",
    "state": "",
    "minutes": "8",
    "device": "cuda",
    "commit": "",
    "pieces": "all",
    "small": "",
}
PART = 15 * 2**20
"""Bytes of a file of the state."""
LEAST = {"benchmarks": 30.0, "ltnas": 60.0}
"""Seconds that must be left for a piece to be started, by the package of its module."""
KEPT = ("results", "runs", "genotypes", "logs", "triton")
"""Folders of the state; the last one has what Triton has compiled."""
LOG_LINES = 30
"""Lines of the log that the result of a failed piece has."""
GRACE = 10.0
"""Seconds after which an interrupted piece is killed."""
CURVES = ("epoch", "train_loss", "architecture_loss", "train_accuracy", "accuracy_balanced")
CURVES += ("accuracy_long_tailed", "many_balanced", "medium_balanced", "few_balanced")
"""Columns of the history that a result keeps."""

SMALL = {
    "benchmarks.gpu_correctness": ["channels=4", "cells=3", "batch=2", "steps=4", "scheme=darts"],
    "benchmarks.gpu_steps": [
        "steps=darts,training",
        "channels=4",
        "cells=3",
        "batch=2",
        "repeats=1",
        "precision=32",
        "profile=0",
    ],
}
"""Words for the CPU, on which a benchmark is only tried."""


@dataclass(frozen=True)
class Piece:
    """A piece of the study: a module with its words, and the search whose genotype it takes."""

    name: str
    module: str
    words: tuple[str, ...]
    needs: str = ""


def pieces() -> Iterator[Piece]:
    """Yield all pieces in the order in which they are wanted."""
    yield Piece("correctness", "benchmarks.gpu_correctness", ("batch=16", "cells=4", "steps=5"))
    steps = "steps=fairdarts_ssl,darts,training"
    yield Piece("steps", "benchmarks.gpu_steps", (steps, "batch=64", "profile=30"))

    def pair(scheme: str, seed: int) -> Iterator[Piece]:
        both = ("imbalance=exp0.1", f"seed={seed}")
        search = f"search-{scheme}-exp0.1-s{seed}"
        quick = ("test_every=10", "collapse.hessian_every=0")
        yield Piece(search, "ltnas.search", (f"scheme={scheme}", *both, *quick))
        train = f"train-{scheme}-exp0.1-s{seed}"
        yield Piece(train, "ltnas.retrain", (*both, "test_every=5"), needs=search)

    yield from pair("fairdarts_ssl", 0)
    for scheme in ("darts", "fairdarts", "random"):
        yield from pair(scheme, 0)
    # Without the plain step, which would take too much memory.
    large = ("batch=256", "ways=eager,captured", "repeats=10")
    yield Piece("steps-256", "benchmarks.gpu_steps", (steps, *large))
    compiled = "ways=captured,compiled,both"
    yield Piece("steps-compiled", "benchmarks.gpu_steps", (steps, "batch=64", compiled))
    for seed in (1, 2):
        for scheme in ("fairdarts_ssl", "darts", "fairdarts", "random"):
            yield from pair(scheme, seed)
    long = ("imbalance=exp0.1", "seed=0", "recipe=vs_sam", "test_every=5")
    yield Piece("vs_sam-exp0.1-s0", "ltnas.retrain", long, needs="search-fairdarts_ssl-exp0.1-s0")
    for recipe in ("cross_entropy", "paper_ldam_drw"):
        for imbalance in ("exp0.1", "exp0.01"):
            words = (f"imbalance={imbalance}", "network=resnet32", f"recipe={recipe}")
            yield Piece(f"resnet32-{recipe}-{imbalance}", "ltnas.retrain", (*words, "test_every=5"))


class Study:
    """The folders of a study, and what is done of it.

    Args:
        words: words of the command line.
    """

    def __init__(self, words: dict[str, str]) -> None:
        self.words = words
        self.end = time.monotonic() + 60 * float(words["minutes"])
        self.out = Path(words["out"]).resolve()
        # Not in `out`: only files directly below it come back.
        self.work = self.out.with_name(f"{self.out.name}-work")
        self.results = self.work / "results"
        self.results.mkdir(parents=True, exist_ok=True)
        self.out.mkdir(parents=True, exist_ok=True)

    def seconds_left(self) -> float:
        """Return the seconds until this call shall end."""
        return self.end - time.monotonic()

    def unpack(self) -> None:
        """Take over the state of an earlier call."""
        parts = sorted(Path(self.words["state"]).glob("state.*")) if self.words["state"] else []
        if parts:
            whole = io.BytesIO(b"".join(part.read_bytes() for part in parts))
            with tarfile.open(fileobj=whole) as archive:
                archive.extractall(self.work, filter="data")

    def pack(self) -> None:
        """Write results and state into `out`."""
        for old in self.out.glob("state.*"):
            old.unlink()
        with tarfile.open(self.out / "results.tar.gz", "w:gz") as archive:
            archive.add(self.results, "results")
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w:gz", compresslevel=1) as archive:
            for name in KEPT:
                if (self.work / name).exists():
                    archive.add(self.work / name, name)
        content = whole.getvalue()
        for number, first in enumerate(range(0, len(content), PART)):
            (self.out / f"state.{number:03}").write_bytes(content[first : first + PART])

    def done(self, name: str) -> bool:
        """Return True if a piece has finished."""
        return (self.results / f"{name}.json").exists()

    def failed(self, name: str) -> bool:
        """Return True if a piece has failed; it is not tried again."""
        return (self.results / f"{name}.failed.json").exists()

    def enough_time(self, piece: Piece) -> bool:
        """Return True if there is time to start a piece."""
        return self.seconds_left() >= LEAST[piece.module.partition(".")[0]]

    def command(self, piece: Piece) -> list[str]:
        """Return the command of a piece."""
        words, device = list(piece.words), self.words["device"]
        if piece.module.startswith("benchmarks."):
            words += [f"device={device}", f"out={self.work / 'benchmarks' / piece.name}"]
            words += SMALL[piece.module] if device == "cpu" else []
        else:
            here = [f"data.root={self.words['data']}", "data=cifar10_parquet", "resume=auto"]
            gpu = ["trainer=gpu", "precision=bf16-mixed"]
            accelerator = ["trainer=cpu"] if device == "cpu" else gpu
            words += [*here, *accelerator, f"runs={self.work / 'runs' / piece.name}"]
            words += [word for word in self.words["small"].split(",") if word]
            if piece.needs:
                words.append(f"genotype={self.work / 'genotypes' / piece.needs}.json")
        return [sys.executable, "-m", piece.module, *words]

    def run(self, piece: Piece) -> str:
        """Run a piece in the time that is left, and return how it has ended."""
        log = self.work / "logs" / f"{piece.name}.log"
        log.parent.mkdir(exist_ok=True)
        started = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(piece),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"TRITON_CACHE_DIR": str(self.work / "triton")},
                start_new_session=True,
            )
            try:
                code = process.wait(timeout=max(self.seconds_left(), 0))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGINT)
                try:
                    process.wait(timeout=GRACE)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                return "interrupted"
        lines = log.read_text(errors="replace").strip().splitlines()
        try:
            if code:
                raise RuntimeError(f"exit code {code}")
            result = self._result(piece, lines[-1] if lines else "")
        except (RuntimeError, OSError, ValueError, KeyError) as error:
            # A later call would fail in the same way, and the minutes are needed for others.
            found = {"name": piece.name, "error": repr(error), "log": lines[-LOG_LINES:]}
            path = self.results / f"{piece.name}.failed.json"
            path.write_text(json.dumps(found, indent=1) + "\n")
            return f"failed ({error}): {' | '.join(lines[-3:])}"
        result["seconds_of_the_last_call"] = round(time.monotonic() - started, 1)
        self._keep(piece, result)
        return "done"

    def _result(self, piece: Piece, last: str) -> dict[str, Any]:
        """Return the result of a finished piece, without paths of this machine."""
        commit = self.words["commit"]
        found: dict[str, Any] = {"name": piece.name, "commit": commit}
        words = [*piece.words, *([f"genotype={piece.needs}"] if piece.needs else [])]
        found["command"] = " ".join(["python -m", piece.module, *words])
        if piece.module.startswith("benchmarks."):
            (path,) = (self.work / "benchmarks" / piece.name).glob("*.json")
            content = json.loads(path.read_text())
            return found | {"machine": content["machine"], "rows": content["rows"]}
        folder = Path(last)
        metrics = json.loads((folder / "metrics.json").read_text())
        origin = metrics.pop("provenance", None)
        origin = origin or json.loads((folder / "provenance.json").read_text())
        found |= {key: origin[key] for key in ("versions", "device") if key in origin}
        # A random genotype has no history.
        rows, costs = (
            list(csv.DictReader((folder / name).open())) if (folder / name).exists() else []
            for name in ("history.csv", "cost.csv")
        )
        curves = {
            key: [float(row[key]) if row[key] else None for row in rows]
            for key in CURVES
            if rows and key in rows[0]
        }
        seconds = round(sum(float(row["seconds"]) for row in costs), 1)
        memory = max((float(row["peak_memory_gib"]) for row in costs), default=0.0)
        found |= {"seconds": seconds, "peak_memory_gib": memory, "metrics": metrics}
        genotype = folder / "genotype.json"
        if genotype.exists():
            found["genotype"] = json.loads(genotype.read_text())
        return found | {"curves": curves}

    def _keep(self, piece: Piece, result: dict[str, Any]) -> None:
        """Write a result, and forget what only going on would have needed."""
        if "genotype" in result and not piece.needs:
            path = self.work / "genotypes" / f"{piece.name}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(result["genotype"]))
        partial = self.results / f"{piece.name}.part"
        partial.write_text(json.dumps(result, indent=1) + "\n")
        partial.rename(self.results / f"{piece.name}.json")
        shutil.rmtree(self.work / "runs" / piece.name, ignore_errors=True)


def main() -> None:
    """Run pieces until the time is over; print a line for each."""
    words = harness.arguments(dict(DEFAULTS))
    if not words["out"] or not words["data"]:
        sys.exit("out=FOLDER and data=FOLDER are needed")
    study = Study(words)
    study.unpack()
    wanted = words["pieces"].split(",")
    ended = "all done"
    try:
        for piece in pieces():
            if wanted != ["all"] and piece.name not in wanted:
                continue
            if study.done(piece.name) or study.failed(piece.name):
                continue
            if piece.needs and not study.done(piece.needs):
                continue
            if not study.enough_time(piece):
                ended = f"call again: {piece.name} is next"
                break
            how = study.run(piece)
            print(f"{piece.name}: {how}", flush=True)
            if how == "interrupted":
                again = "starts anew" if "benchmarks" in piece.module else "will be resumed"
                ended = f"call again: {piece.name} {again}"
                break
    finally:
        study.pack()
    print(ended)


if __name__ == "__main__":
    main()
