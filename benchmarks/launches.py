"""Number of operations that a step launches on a GPU, by part of the step and by kind of operation.

    python -m benchmarks.launches [scheme=darts] [batch=4] [channels=16] [cells=8] [kernels=on]
        [top=12] [out=]

They are counted on the CPU, by the code that a GPU runs: PyTorch operations, each of which launches
one kernel or a few, and launches of the GPU kernels of this package, which are counted instead of
run. kernels=off counts the same step without those. Neither views nor allocations are counted, as
they launch nothing. The training step is that of the retraining of DARTS: 36 channels, 20 cells,
auxiliary classifier and drop path.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

from triton.runtime.jit import KernelInterface

from benchmarks import harness, retrain_step, search_step
from ltnas.data.stream import Batch
from ltnas.kernels import SWITCH, gpu
from ltnas.models import depthwise

DEFAULTS = {
    "scheme": "darts",
    "batch": "4",
    "channels": "16",
    "cells": "8",
    "kernels": "on",
    "top": "12",
    "out": "",
}
MODULES = tuple(
    importlib.import_module(f"{gpu.__name__}.{found.name}")
    for found in pkgutil.iter_modules(gpu.__path__)
    if found.name.startswith("triton_")
)
"""Files that may launch a kernel."""
LAUNCH_NOTHING = ("aten.empty", "aten.new_empty", "profiler.")
"""Beginnings of the names of operations that launch nothing."""


class Counted:
    """Stands for a Triton kernel, and counts its launches."""

    def __init__(self, name: str, counts: Counter[str]) -> None:
        self.name, self.counts = name, counts

    def __getitem__(self, grid: object) -> Callable[..., None]:
        """Return a launch over a grid."""
        return self.launch

    def launch(self, *arguments: object, **constants: object) -> None:
        """Count a launch, which leaves its outputs as they are."""
        self.counts[f"triton.{self.name}"] += 1


@contextmanager
def counted_kernels(launches: Counter[str]) -> Iterator[None]:
    """Let the CPU take the way of a GPU, and count the launches of the GPU kernels by name."""
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(gpu, "takes", return_value=True))
        for module in MODULES:
            for name, value in vars(module).items():
                if isinstance(value, KernelInterface):
                    kind = module.__name__.partition("triton_")[2].partition("_")[0]
                    counted = Counted(f"{kind}{name}", launches)
                    patches.enter_context(mock.patch.object(module, name, counted))
        yield


def count(step: Callable[[], object], kernels: bool) -> Counter[str]:
    """Return the operations of the second call of a step: the first creates optimiser state.

    Args:
        step: step on the CPU.
        kernels: True for the GPU kernels of this package.
    """
    launches: Counter[str] = Counter()
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(depthwise, "has_fast_gradient", return_value=True))
        if kernels:
            patches.enter_context(counted_kernels(launches))
        step()
        launches.clear()
        with search_step.Dispatched() as dispatched:
            step()
    launches += dispatched.counts
    return Counter({k: v for k, v in launches.items() if not k.startswith(LAUNCH_NOTHING)})


def measure(words: dict[str, str]) -> dict[str, Counter[str]]:
    """Return the operations of the architecture step, the weight step and the training step."""
    scheme, images = words["scheme"], int(words["batch"])
    _, search = search_step.build(
        scheme, {**search_step.DEFAULTS, "channels": words["channels"], "cells": words["cells"]}
    )
    batch = search_step.last(search_step.batch_of(images, scheme, "cpu"))
    shape = {"device": "cpu", "precision": "32", "channels": "36", "cells": "20"}
    shape["genotype"] = "darts_v2"
    network, noise = retrain_step.build(shape), retrain_step.noise(images, "cpu")
    train = retrain_step.our_step(network, shape)
    labelled = {"weights": Batch((noise[0],), noise[1])}
    kernels, both = words["kernels"] == "on", search_step.twice(batch)
    return {
        "architecture_step": count(lambda: search.architecture_step(both), kernels),
        "weight_step": count(lambda: search.weight_step(batch), kernels),
        "training_step": count(lambda: train(labelled), kernels),
    }


def main() -> None:
    """Count, print the most frequent operations of each step, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    with mock.patch.dict(os.environ, {SWITCH: "off"}):
        counts = measure(words)
    for name, found in counts.items():
        harness.table(
            f"{name}: {found.total()} operations",
            ["operation", "calls"],
            found.most_common(int(words["top"])),
        )
    totals = {name: found.total() for name, found in counts.items()}
    totals["bilevel_step"] = totals["architecture_step"] + totals["weight_step"]
    print(f"bilevel_step: {totals['bilevel_step']} operations")
    if words["out"]:
        kinds = {name: dict(found.most_common()) for name, found in counts.items()}
        path = Path(words["out"]) / "launches.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**totals, "by_operation": kinds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
