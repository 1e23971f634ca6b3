"""Time and memory of steps with the CIFAR stem and with the ImageNet stem, for larger images.

    python -m benchmarks.stem_step [side=128] [batch=16] [channels=16] [cells=8]
        [genotype=darts_v2] [repeats=3] [out=]

Both stems take turns at a bilevel step of `scheme=darts` and at a training step of the network of a
genotype, on the CPU. Peak memory is measured in a separate process for each of them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch

from benchmarks import harness
from benchmarks.retrain_step import our_step
from benchmarks.scheme_cost import step_of
from ltnas.data.stream import Batch
from ltnas.models.network import Network
from ltnas.runs.memory import keep_freed_memory, peak_memory
from ltnas.space.genotype import load_genotype

DEFAULTS = {
    "side": "128",
    "batch": "16",
    "channels": "16",
    "cells": "8",
    "genotype": "darts_v2",
    "repeats": "3",
    "out": "",
    "memory_of": "",
}
STEMS = ("cifar", "imagenet")
CLASSES = 10


def bilevel(stem: str, words: dict[str, str]) -> Callable[[], object]:
    """Return a function that takes a bilevel step with a stem."""
    sizes = [f"{key}={words[key]}" for key in ("channels", "cells")]
    given = [f"batch_size={words['batch']}", f"data.image_size={words['side']}", f"stem={stem}"]
    return step_of("darts", [*sizes, *given])


def training(stem: str, words: dict[str, str]) -> Callable[[], object]:
    """Return a function that takes a training step with a stem, without auxiliary classifier."""
    genotype, _ = load_genotype(words["genotype"])
    channels, cells, count, side = (
        int(words[key]) for key in ("channels", "cells", "batch", "side")
    )
    model = Network(genotype, channels, cells, CLASSES, auxiliary=False, stem=stem)
    step = our_step(model, {"device": "cpu", "precision": "32"}, auxiliary=0.0)
    images = torch.randn(count, 3, side, side).contiguous(memory_format=torch.channels_last)
    batch = Batch((images,), torch.randint(CLASSES, (count,)))
    return lambda: step({"weights": batch})


STEPS: dict[str, Callable[[str, dict[str, str]], Callable[[], object]]] = {
    "bilevel": bilevel,
    "training": training,
}
"""Builders of the steps that are timed, by name."""


def memory_apart(step: str, stem: str, words: dict[str, str]) -> float:
    """Return the peak memory of a step in GiB, measured in a separate process."""
    own = {**words, "memory_of": f"{step},{stem}", "out": ""}
    command = [sys.executable, "-m", "benchmarks.stem_step"]
    command += [f"{key}={value}" for key, value in own.items()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure(step: str, words: dict[str, str]) -> list[dict[str, Any]]:
    """Return one row of results for each stem."""
    memory = {stem: memory_apart(step, stem, words) for stem in STEMS}
    works = {stem: STEPS[step](stem, words) for stem in STEMS}
    times = harness.alternate(works, int(words["repeats"]), "cpu", warm=1)
    medians = {stem: statistics.median(found) for stem, found in times.items()}
    return [
        {
            "step": step,
            "stem": stem,
            "ms": harness.summary(times[stem]),
            "ratio": round(medians[stem] / medians[STEMS[0]], 4),
            "memory_gib": round(memory[stem], 2),
        }
        for stem in STEMS
    ]


def main() -> None:
    """Measure both steps with both stems, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    keep_freed_memory()
    if words["memory_of"]:
        step, stem = words["memory_of"].split(",")
        STEPS[step](stem, words)()
        print(peak_memory(torch.device("cpu")))
        return
    rows = [row for step in STEPS for row in measure(step, words)]
    harness.table(
        f"steps of batch {words['batch']} with images of {words['side']} pixels, CPU; beside "
        f"stem={STEMS[0]}",
        ["step", "stem", "ms", "ratio of medians", "GiB"],
        [
            (row["step"], row["stem"], row["ms"]["median_ms"], row["ratio"], row["memory_gib"])
            for row in rows
        ],
    )
    harness.write(words["out"], "stem_step", "cpu", words, rows)


if __name__ == "__main__":
    main()
