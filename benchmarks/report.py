"""python -m benchmarks.report [runs=1000]: time of a report over many runs.

The runs are copies of one training on the digits, under many names, seeds and schemes.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from ltnas.config import Data, Imbalance, RandomDraw, RetrainConfig, SearchConfig, Trainer
from ltnas.pipeline import pipeline
from ltnas.report import report

SCHEMES = ("darts", "fairdarts", "fairdarts_ssl", "random")
SEEDS = 5


def main() -> None:
    count = int(dict(word.split("=") for word in sys.argv[1:]).get("runs", 1000))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        made = one(root / "one")
        (root / "many").mkdir()
        for number in range(count):
            copy(made, root / "many", number)
        started = time.perf_counter()
        page = report([root / "many"], root / "report")
        seconds = time.perf_counter() - started
        print(f"{count} runs: {seconds:.2f} s, a page of {page.stat().st_size / 2**20:.1f} MiB")


def one(runs: Path) -> Path:
    common = {
        "data": Data(source="digits", image_size=8),
        "imbalance": Imbalance("exp", 0.1),
        "trainer": Trainer(accelerator="cpu"),
        **{"runs": str(runs), "resume": "auto", "cells": 3, "channels": 4, "epochs": 20},
        **{"limit_batches": 1, "batch_size": 32},
    }
    searching = SearchConfig(**common, scheme="random", selection=RandomDraw())
    return pipeline(searching, RetrainConfig(**common, genotype="x", auxiliary=0.0, cutout=0))


def copy(made: Path, many: Path, number: int) -> None:
    """Copy a run as that of another seed, scheme and, once there are enough seeds, drop path."""
    seed, row = number % SEEDS, number // SEEDS
    scheme = SCHEMES[row % len(SCHEMES)]
    folder = many / f"retrain-{scheme}-exp0.1-s{seed}-{number}"
    shutil.copytree(made, folder)
    for file, change in (
        ("metrics.json", {"scheme": scheme, "seed": seed}),
        ("fingerprint.json", {"seed": seed, "drop_path": 0.001 * row}),
    ):
        data = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps(data | change))


if __name__ == "__main__":
    main()
