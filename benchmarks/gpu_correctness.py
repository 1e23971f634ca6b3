"""Correctness of the steps on a GPU: beside the CPU, captured beside eager, bf16 beside fp32.

    python -m benchmarks.gpu_correctness [device=cuda] [batch=32] [channels=16] [cells=8]
        [scheme=darts,fairdarts_ssl] [steps=6] [out=]

Each contender starts from the same weights and takes the same steps on the same images. Reported is
the relative difference |x - y| / |y| of what the steps change: of all weights together, of the
architecture parameters, and of the losses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import harness, retrain_step, search_step
from ltnas.data.stream import Batch
from ltnas.training.graphs import Batches, GraphRunner, Notes, StepRunner, build_runner

DEFAULTS = {
    "device": "cuda",
    "batch": "32",
    "channels": "16",
    "cells": "8",
    "scheme": "darts,fairdarts_ssl",
    "steps": "6",
    "out": "",
}
MEASURED = ("weights", "architecture", "losses")
Measured = tuple[dict[str, Tensor], dict[str, Tensor]]
"""Change of each parameter, and the values of each loss, by name and on the CPU."""


def difference(x: dict[str, Tensor], y: dict[str, Tensor]) -> float:
    """Return |x - y| / |y| of all tensors together."""
    above = sum(float((x[name].double() - y[name].double()).square().sum()) for name in y)
    return float((above / sum(float(y[name].double().square().sum()) for name in y)) ** 0.5)


def take(
    module: nn.Module, step: Callable[[Batches], Notes], batches: list[Batches], run: StepRunner
) -> Measured:
    """Take a step on each of the batches, and return what it changes and measures."""
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    notes = [run(step, batch) for batch in batches]
    if isinstance(run, GraphRunner) and not run.recorded:
        raise RuntimeError("the step was not recorded: both sides would be eager")
    changes = {
        name: (value.detach() - before[name]).cpu() for name, value in module.named_parameters()
    }
    return changes, {name: torch.stack([n[name].cpu() for n in notes]) for name in notes[0]}


def on(batch: Batch, device: str) -> Batch:
    """Return a batch on a device, in channels-last memory."""
    moved = Batch(tuple(view.to(device) for view in batch.views), batch.labels.to(device))
    return search_step.last(moved)


def searches(scheme: str, words: dict[str, str]) -> list[dict[str, Any]]:
    """Return the differences between bilevel steps."""
    count, steps = int(words["batch"]), int(words["steps"])
    torch.manual_seed(1)
    batches = [
        {name: search_step.batch_of(count, scheme, "cpu") for name in ("architecture", "weights")}
        for _ in range(steps)
    ]

    def measured(device: str, precision: str, graphs: str) -> Measured:
        shape = {**search_step.DEFAULTS, "channels": words["channels"], "cells": words["cells"]}
        shape |= {"device": device, "precision": precision, "graphs": graphs}
        _, module = search_step.build(scheme, shape)
        own = [{name: on(batch, device) for name, batch in both.items()} for both in batches]
        return take(module.learner, module.bilevel_step, own, module.run)

    return compare(f"bilevel step, {scheme}", measured, words["device"])


def trainings(words: dict[str, str]) -> list[dict[str, Any]]:
    """Return the differences between steps of retraining, without drop path."""
    count, steps = int(words["batch"]), int(words["steps"])
    torch.manual_seed(1)
    shape = {**retrain_step.DEFAULTS, "channels": words["channels"], "cells": words["cells"]}
    start = retrain_step.build({**shape, "device": "cpu"})
    start.set_drop_path(0.0)  # devices draw other masks
    batches = [
        {"weights": Batch((x,), y)}
        for x, y in (retrain_step.noise(count, "cpu") for _ in range(steps))
    ]

    def measured(device: str, precision: str, graphs: str) -> Measured:
        model = copy.deepcopy(start).to(device)
        own = [{"weights": on(both["weights"], device)} for both in batches]
        step = retrain_step.our_step(model, {**shape, "device": device, "precision": precision})
        return take(model, step, own, build_runner(graphs, torch.device(device)))

    return compare("training step", measured, words["device"])


def compare(
    name: str, measured: Callable[[str, str, str], Measured], device: str
) -> list[dict[str, Any]]:
    """Return one row for each comparison."""
    eager = measured(device, "32", "off")
    pairs = {
        "fp32 beside the CPU": (eager, measured("cpu", "32", "off")),
        "eager fp32, again": (measured(device, "32", "off"), eager),
        "captured beside eager, fp32": (measured(device, "32", "auto"), eager),
    }
    if device != "cpu":
        half = measured(device, "bf16-mixed", "off")
        pairs["bf16 beside fp32"] = (half, eager)
        pairs["captured beside eager, bf16"] = (measured(device, "bf16-mixed", "auto"), half)
    rows = []
    for label, ((changes, losses), (expected_changes, expected_losses)) in pairs.items():
        found = {
            "weights": {n: v for n, v in expected_changes.items() if "architecture." not in n},
            "architecture": {n: v for n, v in expected_changes.items() if "architecture." in n},
        }
        row: dict[str, Any] = {"step": name, "comparison": label}
        for key, expected in found.items():
            row[key] = difference(changes, expected) if expected else None
        row["losses"] = difference(losses, expected_losses)
        print(row, flush=True)
        rows.append(row)
    return rows


def main() -> None:
    """Compare, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    # Without TF32, whose 10 bits would hide errors of the size that is looked for.
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    rows = [row for scheme in words["scheme"].split(",") for row in searches(scheme, words)]
    rows += trainings(words)
    harness.table(
        f"relative differences after {words['steps']} steps, {words['device']}",
        ["step", "comparison", *MEASURED],
        [
            (
                r["step"],
                r["comparison"],
                *(_shown(r[k]) for k in ("weights", "architecture", "losses")),
            )
            for r in rows
        ],
    )
    harness.write(words["out"], "gpu_correctness", words["device"], words, rows)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


if __name__ == "__main__":
    main()
