"""Time of whole steps on a GPU: plain PyTorch, ours eagerly, as a CUDA graph, compiled, and both.

    python -m benchmarks.gpu_steps [device=cuda] [steps=darts,fairdarts_ssl,training] [batch=64]
        [ways=plain,eager,captured,compiled,both] [precision=bf16-mixed] [channels=] [cells=]
        [repeats=20] [profile=0] [out=]

A step of a scheme is a bilevel step; `training` is a step of retraining the second genotype of
DARTS. The plain step is in fp32, as its authors ran it. The way `compiled` takes minutes to warm
up, so that the default is ways=plain,eager,captured. With profile=N the row of each step
names the N kernels that take most of the time of its last way.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import harness, retrain_step, search_step
from ltnas import config as c
from ltnas.data.stream import Batch
from ltnas.training.compiling import compile_cells
from ltnas.training.graphs import EAGER_STEPS, build_runner

DEFAULTS = {
    "device": "cuda",
    "steps": "darts,fairdarts_ssl,training",
    "batch": "64",
    "ways": "plain,eager,captured",
    "precision": "bf16-mixed",
    "channels": "",
    "cells": "",
    "repeats": "20",
    "profile": "0",
    "out": "",
}
RECORDED = ("captured", "both")
"""Ways that record the step as a CUDA graph."""


def search_contender(name: str, way: str, words: dict[str, str], batch: Batch) -> Callable[[], Any]:
    """Return the work of one bilevel step of a scheme."""
    shape = {"channels": words["channels"] or "16", "cells": words["cells"] or "8"}
    own = {**search_step.DEFAULTS, **shape, "device": words["device"]}
    graphs = "auto" if way in RECORDED else "off"
    own |= {"precision": words["precision"], "graphs": graphs}
    plain, ours = search_step.build(name, own)
    if way == "plain":

        def step() -> None:
            plain.architecture_step(batch)
            plain.weight_step(batch)

        return step
    if way in ("compiled", "both"):
        compile_cells(ours.network)
    batches = search_step.twice(search_step.last(batch))
    return lambda: ours.run(ours.bilevel_step, batches)


def training_contender(way: str, words: dict[str, str], batch: Batch) -> Callable[[], Any]:
    """Return the work of one step of retraining."""
    shape = {"channels": words["channels"] or "36", "cells": words["cells"] or "20"}
    own = {**retrain_step.DEFAULTS, **shape, "device": words["device"]}
    model = retrain_step.build(own)
    if way == "plain":
        config = c.WeightOptimiser()
        optimiser = torch.optim.SGD(
            model.parameters(),
            config.learning_rate,
            config.momentum,
            weight_decay=config.weight_decay,
            foreach=False,
        )
        images, clip = batch.views[0], config.clip
        assert clip is not None
        return lambda: retrain_step.plain_step(model, optimiser, clip, images, batch.labels)
    if way in ("compiled", "both"):
        compile_cells(model)
    step = retrain_step.our_step(model, {**own, "precision": words["precision"]})
    batches = {"weights": search_step.last(batch)}
    run = build_runner("auto" if way in RECORDED else "off", torch.device(words["device"]))
    return lambda: run(step, batches)


def measure(name: str, count: int, words: dict[str, str]) -> dict[str, Any]:
    """Return the times of all ways of one step, and the peak memory of each."""
    device, scheme = words["device"], "darts" if name == "training" else name
    row: dict[str, Any] = {"step": name, "batch": count}
    contenders, memory, warm_up = {}, {}, {}
    for way in words["ways"].split(","):
        batch = search_step.batch_of(count, scheme, device)
        start = time.perf_counter()
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
        work = (
            training_contender(way, words, batch)
            if name == "training"
            else search_contender(name, way, words, batch)
        )
        for _ in range(EAGER_STEPS + 1):
            work()
        if device == "cuda":
            torch.cuda.synchronize()
            memory[way] = round((torch.cuda.max_memory_allocated() - before) / 2**30, 2)
        contenders[way], warm_up[way] = work, round(time.perf_counter() - start, 1)
    if words["profile"] != "0":
        row["kernels"] = kernel_times(work, int(words["profile"]))
    times = harness.alternate(contenders, int(words["repeats"]), device)
    medians = {way: statistics.median(found) for way, found in times.items()}
    row["times"] = {way: harness.summary(found) for way, found in times.items()}
    row |= {"memory_gib": memory, "warm_up_s": warm_up}
    if "plain" in medians:
        row["ratio"] = {way: round(medians["plain"] / value, 2) for way, value in medians.items()}
    return row


def kernel_times(work: Callable[[], Any], most: int) -> dict[str, Any]:
    """Return the number of kernels of a step, their time in ms, and those that take most of it."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    times: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for event in found.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            times[event.name] += event.device_time / 1000
            calls[event.name] += 1
    return {
        "kernels": calls.total(),
        "ms": round(sum(times.values()), 2),
        "most": [
            {"name": name[:160], "ms": round(time, 3), "calls": calls[name]}
            for name, time in times.most_common(most)
        ],
    }


def main() -> None:
    """Measure all steps and batch sizes, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    ways = words["ways"].split(",")
    rows = []
    for name in words["steps"].split(","):
        for count in words["batch"].split(","):
            rows.append(measure(name, int(count), words))
            print(rows[-1], flush=True)
            harness.write(words["out"], "gpu_steps", words["device"], words, rows)
    harness.table(
        f"steps in ms, {words['device']}, precision={words['precision']} (plain: 32)",
        ["step", "batch", *ways],
        [(r["step"], r["batch"], *(r["times"][way]["median_ms"] for way in ways)) for r in rows],
    )


if __name__ == "__main__":
    main()
