"""Time of a training step of the discrete network beside the same step in plain PyTorch.

    python -m benchmarks.retrain_step [device=cpu] [batch=16,64] [precision=32] [channels=36]
        [cells=20] [genotype=darts_v2] [repeats=5] [out=]

Both train the second genotype of DARTS with auxiliary classifier and drop path. The plain step runs
its modules one by one, with NCHW tensors in float32, and updates one tensor at a time.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks import harness
from ltnas import config as c
from ltnas.data.stream import Batch
from ltnas.models import cell
from ltnas.models.network import Network
from ltnas.models.rectified import RectifiedConvNorm
from ltnas.objectives.build import build_objective
from ltnas.runs.memory import keep_freed_memory
from ltnas.space.genotype import load_genotype
from ltnas.training.graphs import Batches, Notes
from ltnas.training.optimisation import descend, weight_optimiser
from ltnas.training.trainer import autocast

DEFAULTS = {
    "device": "cpu",
    "batch": "16,64",
    "precision": "32",
    "channels": "36",
    "cells": "20",
    "genotype": "darts_v2",
    "repeats": "5",
    "out": "",
}
AUXILIARY, DROP_PATH = 0.4, 0.1


def rectified_plainly(module: RectifiedConvNorm, x: Tensor) -> Tensor:
    """Compute ReLU, convolution and normalisation one after another."""
    y: Tensor = module[2](nn.functional.conv2d(nn.functional.relu(x), module[1].weight))
    return y


def operate_plainly(
    operation: nn.Module, x: Tensor, factor: Tensor | None = None, onto: Tensor | None = None
) -> Tensor:
    """Apply an operation, its factor of drop path and its sum one after another."""
    y: Tensor = operation(x)
    y = y if factor is None else y * factor
    return y if onto is None else onto + y


def plain_step(
    model: Network, optimiser: torch.optim.SGD, clip: float, images: Tensor, labels: Tensor
) -> None:
    """Take a training step as train.py of the original code does."""
    with (
        mock.patch.object(cell, "run_operation", operate_plainly),
        mock.patch.object(RectifiedConvNorm, "forward", rectified_plainly),
    ):
        optimiser.zero_grad()
        logits, auxiliary = model.predictions(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss = loss + AUXILIARY * nn.functional.cross_entropy(auxiliary, labels)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip, foreach=False)
        optimiser.step()
        loss.item()


def build(words: dict[str, str]) -> Network:
    """Return the network on its device, with drop path."""
    torch.manual_seed(0)
    genotype, _ = load_genotype(words["genotype"])
    shape = int(words["channels"]), int(words["cells"]), 10, True
    model = Network(genotype, *shape).to(words["device"])
    model.set_drop_path(DROP_PATH)
    return model


def noise(count: int, device: str) -> tuple[Tensor, Tensor]:
    """Return images [count, 3, 32, 32] and labels [count]."""
    images = torch.randn(count, 3, 32, 32, device=device)
    return images, torch.randint(10, (count,), device=device)


def our_step(
    model: Network, words: dict[str, str], auxiliary: float = AUXILIARY
) -> Callable[[Batches], Notes]:
    """Return a training step as `RetrainModule` takes it.

    Args:
        model: network, with an auxiliary classifier if its loss has a weight.
        words: settings of the benchmark, of which it uses device and precision.
        auxiliary: weight of the auxiliary classifier's loss.
    """
    model.to(memory_format=torch.channels_last)
    config, device = c.WeightOptimiser(), words["device"]
    optimiser = weight_optimiser(model.parameters(), config, capturable=device == "cuda")
    context = autocast("gpu" if device == "cuda" else "cpu", words["precision"])
    groups = [list(model.parameters())]
    objective = build_objective(
        c.CrossEntropy(), model.feature_size, torch.ones(10), c.LinearClassifier(), auxiliary
    ).to(device)

    def step(batches: Batches) -> Notes:
        with context():
            losses = objective(model, batches["weights"])
        descend(losses.objective, groups, optimiser, config.clip)
        return {"train_loss": losses.objective.detach()}

    return step


def measure(count: int, words: dict[str, str]) -> dict[str, Any]:
    """Return the times of both steps for one batch size."""
    device, config = words["device"], c.WeightOptimiser()
    plain = build(words)
    images, labels = noise(count, device)
    step = our_step(copy.deepcopy(plain), words)
    batches = {
        "weights": Batch((images.contiguous(memory_format=torch.channels_last),), labels),
    }
    plain_optimiser = torch.optim.SGD(
        plain.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        foreach=False,
    )
    times = harness.alternate(
        {
            "plain": lambda: plain_step(plain, plain_optimiser, config.clip, images, labels),
            "ours": lambda: step(batches),
        },
        int(words["repeats"]),
        device,
        warm=1,
    )
    medians = {name: statistics.median(found) for name, found in times.items()}
    return {
        "batch": count,
        "ratio": round(medians["plain"] / medians["ours"], 2),
        **{name: harness.summary(found) for name, found in times.items()},
    }


def main() -> None:
    """Measure all batch sizes, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    if words["device"] == "cpu":
        keep_freed_memory()
    rows = [measure(int(count), words) for count in words["batch"].split(",")]
    harness.table(
        f"step of retraining in ms, {words['device']}, precision={words['precision']}",
        ["batch", "plain", "ours", "ratio"],
        [(r["batch"], r["plain"]["median_ms"], r["ours"]["median_ms"], r["ratio"]) for r in rows],
    )
    harness.write(words["out"], "retrain_step", words["device"], words, rows)


if __name__ == "__main__":
    main()
