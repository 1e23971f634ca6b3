"""Losses of a short search with the plain supernet and with ours, equal up to float32 rounding.

    python -m benchmarks.loss_curve [root=FOLDER] [epochs=3] [steps=25] [batch=32] [channels=8]
        [cells=5] [out=]

Both start from the same weights and see the same batches. `root` is a folder with CIFAR-10 as
Parquet; without it the search runs on the digits of scikit-learn.
"""

from __future__ import annotations

import torch

from benchmarks import harness
from benchmarks.search_step import DEFAULTS as STEP
from benchmarks.search_step import build, last, twice
from ltnas.config import Data, Imbalance
from ltnas.data.augment import PlainView
from ltnas.data.long_tail import load_long_tail
from ltnas.data.stream import Batch
from ltnas.data.subset import stratified_halves
from ltnas.runs.memory import keep_freed_memory

DEFAULTS = {
    "root": "",
    "epochs": "3",
    "steps": "25",
    "batch": "32",
    "channels": "8",
    "cells": "5",
    "out": "",
}


def main() -> None:
    """Run both searches, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    keep_freed_memory()
    root = words["root"]
    data = Data(source="cifar10_parquet", root=root) if root else Data(source="digits")
    long_tail = load_long_tail(data, Imbalance("exp", 0.1))
    images, labels = long_tail.train.images, long_tail.train.labels
    halves = stratified_halves(labels.numpy(), data.subset_seed)
    view = PlainView(long_tail.normalisation, data.crop_padding, data.flip)
    plain, ours = build("darts", {**STEP, "channels": words["channels"], "cells": words["cells"]})
    generator, rows = torch.Generator().manual_seed(0), []

    def batch(half: int) -> Batch:
        own_half = torch.as_tensor(halves[half])
        chosen = own_half[torch.randint(len(own_half), (int(words["batch"]),), generator=generator)]
        draws = torch.rand(len(chosen), view.draws, generator=generator)
        return Batch((view(images[chosen], draws),), labels[chosen])

    for epoch in range(int(words["epochs"])):
        losses: dict[str, list[float]] = {"plain": [], "ours": []}
        for _ in range(int(words["steps"])):
            architecture, weights = batch(1), batch(0)
            plain.architecture_step(architecture)
            losses["plain"].append(plain.weight_step(weights))
            ours.architecture_step(twice(last(architecture)))
            losses["ours"].append(float(ours.weight_step(last(weights))["train_loss"]))
        pairs = list(zip(losses["plain"], losses["ours"], strict=True))
        rows.append(
            {
                "epoch": epoch,
                **{name: sum(values) / len(values) for name, values in losses.items()},
                "first_step_difference": abs(pairs[0][0] - pairs[0][1]),
                "largest_difference": max(abs(a - b) for a, b in pairs),
                "losses": losses,
            }
        )
    alphas = zip(plain.architecture, ours.network.architecture.values(), strict=True)
    difference = max(float((a - b).detach().abs().max()) for a, b in alphas)
    source = "CIFAR-10" if root else "digits"
    harness.table(
        f"training loss, mean of {words['steps']} steps, {source} exp0.1; architecture parameters "
        f"differ by {difference:.1e} at the end",
        ["epoch", "plain", "ours", "largest difference of a step"],
        [(r["epoch"], r["plain"], r["ours"], r["largest_difference"]) for r in rows],
    )
    rows.append({"architecture_difference": difference})
    harness.write(words["out"], "loss_curve", "cpu", {**words, "root": "FOLDER"}, rows)


if __name__ == "__main__":
    main()
