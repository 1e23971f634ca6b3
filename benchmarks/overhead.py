"""Time of a run besides its steps: start-up; metrics, callbacks and checkpoints; and the test.

python -m benchmarks.overhead [channels=16] [cells=8] [batch=16] [steps=4] [epochs=3] [starts=5]
    [out=]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from unittest import mock

from benchmarks import harness
from ltnas.config import Data, Imbalance, Logger, SearchConfig
from ltnas.data.stream import Batch
from ltnas.search import search
from ltnas.training.search_module import SearchModule

DEFAULTS = {
    "channels": "16",
    "cells": "8",
    "batch": "16",
    "steps": "4",
    "epochs": "3",
    "starts": "5",
    "out": "",
}
EPOCH = 160
"""Number of steps of an epoch with CIFAR-10, imbalance factor 0.1 and a batch of 64 images."""


def start_up(times: int) -> float:
    """Return the median time of `--help` in milliseconds."""
    command = [sys.executable, "-m", "ltnas.search", "--help"]
    return statistics.median(
        harness.milliseconds(
            lambda: subprocess.run(command, check=True, capture_output=True), "cpu"
        )
        for _ in range(times)
    )


def main() -> None:
    """Run a short search, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    step, steps, ends = SearchModule.training_step, [], []
    test, tests = SearchModule.validation_step, []

    def timed(self: SearchModule, batches: dict[str, Batch], index: int) -> None:
        begin = time.perf_counter()
        step(self, batches, index)
        steps.append(time.perf_counter() - begin)
        ends.append(time.perf_counter())

    def tested(self: SearchModule, batch: Batch, index: int) -> None:
        begin = time.perf_counter()
        test(self, batch, index)
        tests.append((time.perf_counter() - begin, len(batch.labels)))

    count = int(words["steps"])
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(SearchModule, "training_step", timed),
        mock.patch.object(SearchModule, "validation_step", tested),
        open(os.devnull, "w", encoding="utf-8") as nothing,
        mock.patch("sys.stdout", nothing),
    ):
        search(
            SearchConfig(
                data=Data(source="digits", image_size=32),
                imbalance=Imbalance("exp", 0.1),
                logger=Logger(progress=False),
                epochs=int(words["epochs"]),
                batch_size=int(words["batch"]),
                channels=int(words["channels"]),
                cells=int(words["cells"]),
                limit_batches=count,
                runs=folder,
            )
        )
    # Time from the last step of an epoch to that of the next one, minus its steps and the test.
    lasts = ends[count - 1 :: count]
    whole = [b - a for a, b in pairwise(lasts)]
    inside = [sum(steps[i : i + count]) for i in range(count, len(steps), count)]
    epochs = int(words["epochs"])
    each = len(tests) // epochs
    testing = [sum(t for t, _ in tests[i * each : (i + 1) * each]) for i in range(epochs - 1)]
    parts = zip(whole, inside, testing, strict=True)
    beside = statistics.median(a - b - c for a, b, c in parts)
    image = sum(seconds for seconds, _ in tests) / sum(images for _, images in tests)
    one = statistics.median(steps[count:])
    row = {
        "start_up_ms": round(start_up(int(words["starts"])), 1),
        "step_ms": round(1000 * one, 1),
        "beside_steps_ms": round(1000 * beside, 1),
        "share_of_an_epoch": round(beside / (beside + EPOCH * one), 4),
        "test_of_10000_ms": round(1e7 * image, 1),
    }
    harness.table(
        f"an epoch of {EPOCH} steps at batch {words['batch']}: beside them, and test of 10,000",
        ["--help ms", "step ms", "beside ms", "share of epoch", "test ms"],
        [tuple(row.values())],
    )
    harness.write(words["out"], "overhead", "cpu", words, [row])


if __name__ == "__main__":
    main()
