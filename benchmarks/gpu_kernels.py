"""GPU kernels of this package beside PyTorch, for all shapes that the steps have.

    python -m benchmarks.gpu_kernels [device=cuda] [steps=fairdarts_ssl,training] [batch=64]
        [precision=bfloat16] [channels=] [cells=] [workers=8] [timed=40] [repeats=20]
        [out=]

The calls of each step are recorded on the CPU. Several processes then compile the kernels and
compare outputs and gradients with those of PyTorch in float32; one process takes the times of the
calls that move most memory in the steps, each as a CUDA graph. `floor_us` is the time in which an
H100 moves the tensors of the forward pass. With device=cpu and TRITON_INTERPRET=1 in the
environment, Triton's interpreter computes the outputs and gradients, and nothing is timed.
"""

from __future__ import annotations

import functools
import math
import os
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from benchmarks import gpu_units, gpu_work, harness
from benchmarks.gpu_calls import Call, recorded
from benchmarks.gpu_work import Work
from ltnas.kernels import SWITCH

DEFAULTS = {
    "device": "cuda",
    "steps": "fairdarts_ssl,training",
    "batch": "64",
    "precision": "bfloat16",
    "channels": "",
    "cells": "",
    "workers": "8",
    "timed": "40",
    "repeats": "20",
    "out": "",
}
BYTES_PER_MICROSECOND = 3.35e6
"""Memory bandwidth of an H100."""
LARGE = 0.02
"""Errors above this one are printed."""
INNER = 10
"""Calls within one graph."""


MAKERS: dict[str, Callable[[Call, Tensor], Work]] = {
    "candidates": gpu_units.make_candidates,
    "depthwise": gpu_work.make_depthwise,
    "normalise": gpu_work.make_normalise,
    "operations": gpu_units.make_operations,
    "pointwise": gpu_work.make_pointwise,
    "pools": gpu_work.make_pools,
    "weighted_sum": gpu_work.make_weighted_sum,
}


def make(call: Call, device: str, dtype: torch.dtype) -> Work:
    """Return a call with random inputs."""
    x = gpu_work.images(torch.empty(0, device=device, dtype=dtype), *call.shape)
    return MAKERS[call.kernel](call, x)


def gradients(y: Tensor, inputs: Sequence[Tensor], gradient: Tensor) -> tuple[Tensor, ...]:
    """Return the gradients of the inputs that have one."""
    wanted = [x for x in inputs if x.requires_grad]
    return torch.autograd.grad(y, wanted, gradient)


def run_both_ways(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    chosen: Sequence[Tensor],
    gradient: Tensor,
) -> tuple[Tensor, ...]:
    """Call a function, and return the gradients of the chosen inputs."""
    return gradients(function(*inputs), chosen, gradient)


def variant(call: Call) -> tuple[Any, ...]:
    """Return what calls have in common for which Triton compiles the same kernels."""
    return call.kernel, call.shape[1], call.settings


def errors_of(jobs: list[tuple[Call, str, str]]) -> list[tuple[Call, list[float] | str]]:
    """Return the errors of several calls, each with its call."""
    return [(job[0], errors(job)) for job in jobs]


def errors(job: tuple[Call, str, str]) -> list[float] | str:
    """Return the errors of our output and gradients, or what went wrong."""
    call, device, precision = job
    try:
        torch.manual_seed(0)
        torch.backends.cudnn.allow_tf32 = False
        work = make(call, device, getattr(torch, precision))
        return compare(work.ours, work)
    except Exception as error:  # the other kernels shall be checked, too
        return f"{type(error).__name__}: {str(error)[-600:]}"


def compare(function: Callable[..., Tensor], work: Work) -> list[float]:
    """Return |x - y| / |y| of the output and of each gradient; y is PyTorch's in float32.

    Args:
        function: our function of a call, or PyTorch's.
        work: the call.
    """
    wide = [x.detach().float().requires_grad_(x.requires_grad) for x in work.inputs]
    y, expected = function(*work.inputs), work.theirs(*wide)
    gradient = torch.randn_like(y)
    found = [y, *gradients(y, work.inputs, gradient)]
    wanted = [expected, *gradients(expected, wide, gradient.float())]
    return [
        float((x.detach().float() - z.detach()).norm() / z.detach().norm())
        for x, z in zip(found, wanted, strict=True)
    ]


def microseconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call within a CUDA graph, which the current stream records."""
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        for _ in range(INNER):
            work()
    found: list[float] = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        found.append(1000 * start.elapsed_time(end) / INNER)
    return round(statistics.median(found), 1)


def times(call: Call, device: str, precision: str, repeats: int) -> dict[str, float]:
    """Return the times of the forward pass, with the input's gradient, and with all gradients."""
    row: dict[str, float] = {}
    # Gradients are summed on the stream on which a leaf was first used, and no other stream may
    # have a part in a recording.
    with torch.cuda.stream(torch.cuda.Stream()):
        ours, theirs, inputs = make(call, device, getattr(torch, precision))
        for name, function in (("ours", ours), ("torch", theirs)):
            y = function(*inputs)
            gradient = torch.randn_like(y)
            moved = sum(x.nbytes for x in inputs) + y.nbytes
            row["floor_us"] = round(moved / BYTES_PER_MICROSECOND, 1)
            row[f"{name}_forward_us"] = microseconds(functools.partial(function, *inputs), repeats)
            for key, chosen in (("input", inputs[:1]), ("all", inputs)):
                both = functools.partial(run_both_ways, function, inputs, chosen, gradient)
                row[f"{name}_{key}_us"] = microseconds(both, repeats)
    return row


def main() -> None:
    """Record the calls, check and time them, print the table, and write the JSON file."""
    words = harness.arguments(dict(DEFAULTS))
    device, precision = words["device"], words["precision"]
    if device == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        harness.refuse("device=cpu runs in Triton's interpreter: set TRITON_INTERPRET=1")
    with mock.patch.dict(os.environ, {SWITCH: "off"}):
        recordings = {name: recorded(name, words) for name in words["steps"].split(",")}
    calls = sorted({call for counts in recordings.values() for call in counts}, key=str)
    jobs: dict[tuple[Any, ...], list[tuple[Call, str, str]]] = {}
    for call in calls:
        jobs.setdefault(variant(call), []).append((call, device, precision))
    workers = int(words["workers"])
    with ExitStack() as stack:
        if workers == 1:  # no process, which would import everything again
            found = map(errors_of, jobs.values())
        else:
            pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
            found = stack.enter_context(pool).map(errors_of, jobs.values())
        differences = {call: error for errors in found for call, error in errors}
    rows: list[dict[str, Any]] = []
    for call in calls:
        row: dict[str, Any] = {**call._asdict(), "errors": differences[call]}
        row["calls"] = {name: counts[call] for name, counts in recordings.items()}
        rows.append(row)
        if isinstance(row["errors"], str) or max(row["errors"]) > LARGE:
            print(call, row["errors"], flush=True)
    harness.write(words["out"], "gpu_kernels", device, words, rows)
    if device == "cuda":
        rows.sort(key=lambda r: -math.prod(r["shape"]) * sum(r["calls"].values()))
        for row in rows[: int(words["timed"])]:
            if not isinstance(row["errors"], str):
                call = Call(row["kernel"], row["shape"], row["settings"])
                row |= times(call, device, precision, int(words["repeats"]))
        rows.sort(key=lambda r: -r.get("ours_all_us", 0) * sum(r["calls"].values()))
        harness.write(words["out"], "gpu_kernels", device, words, rows)
    keys = [f"{name}_{key}_us" for name in ("ours", "torch") for key in ("forward", "input", "all")]
    harness.table(
        f"kernels in us, {device}, {precision}",
        ["kernel", "shape", "settings", "calls", "worst error", "floor", *keys],
        [
            (
                row["kernel"],
                "x".join(map(str, row["shape"])),
                str(row["settings"]),
                "/".join(map(str, row["calls"].values())),
                row["errors"] if isinstance(row["errors"], str) else f"{max(row['errors']):.1e}",
                row.get("floor_us", ""),
                *(row.get(key, "") for key in keys),
            )
            for row in rows
        ],
    )


if __name__ == "__main__":
    main()
