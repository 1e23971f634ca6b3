"""GPU kernels of this package beside PyTorch, for all shapes that the steps have.

    python -m benchmarks.gpu_kernels [device=cuda] [steps=fairdarts_ssl,training] [batch=64]
        [precision=bfloat16] [channels=] [cells=] [workers=8] [timed=40] [repeats=20]
        [out=]

The calls of each step are recorded on the CPU. Several processes then compile the kernels and
compare outputs and gradients with those of PyTorch in float32; one process takes the times of the
calls that move most memory in the steps, each as a CUDA graph. `floor_us` is the time in which an
H100 moves the tensors of the forward pass.
"""

from __future__ import annotations

import functools
import math
import os
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any, NamedTuple
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks import gpu_steps, harness, launches, search_step
from ltnas.kernels import SWITCH, gpu
from ltnas.kernels.gpu.edge_operations import EdgeUnits, Shared
from ltnas.kernels.gpu.layout import LAST, pixel_stride

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
RECORDED_BATCH = 4
BYTES_PER_MICROSECOND = 3.35e6
"""Memory bandwidth of an H100."""
LARGE = 0.02
"""Errors above this one are printed."""
INNER = 10
"""Calls within one graph."""


class Call(NamedTuple):
    """A call of a kernel: its name, the shape of its input, and what else tells it from others."""

    kernel: str
    shape: tuple[int, int, int, int]
    settings: tuple[Any, ...]


class Work(NamedTuple):
    """A call with its inputs, and the same in PyTorch."""

    ours: Callable[..., Tensor]
    theirs: Callable[..., Tensor]
    inputs: list[Tensor]


def recorded(name: str, words: dict[str, str]) -> Counter[Call]:
    """Return the calls of the second step of a benchmark on the CPU, and how often each occurs."""
    calls: Counter[Call] = Counter()

    def note(kernel: str, x: Tensor, *settings: object) -> None:
        recorded_images, channels, height, width = x.shape
        images = recorded_images * int(words["batch"]) // RECORDED_BATCH
        calls[Call(kernel, (images, channels, height, width), settings)] += 1

    depthwise, pointwise, normalise = gpu.depthwise, gpu.pointwise, gpu.normalise
    pools, weighted_sum = gpu.pools, gpu.weighted_sum
    candidates, operations = gpu.candidates, gpu.operations

    def note_depthwise(x: Tensor, weight: Tensor, **how: int) -> Tensor:
        kernel, edges = weight.shape[-1], len(weight) // x.shape[1]
        note("depthwise", x, edges, kernel, how["stride"], how["dilation"], how["rectify"])
        return depthwise(x, weight, **how)

    def note_pointwise(x: Tensor, weight: Tensor, groups: int) -> Tensor:
        note("pointwise", x, len(weight), groups)
        return pointwise(x, weight, groups)

    def note_normalise(
        layer: nn.BatchNorm2d,
        x: Tensor,
        scale: Tensor | None = None,
        shift: Tensor | None = None,
        **more: Tensor | None,
    ) -> Tensor:
        given = (scale, shift, more.get("onto"))
        note("normalise", x, *(one is not None for one in given))
        return normalise(layer, x, scale, shift, **more)

    def note_weighted_sum(terms: Sequence[tuple[Tensor, Tensor | None]]) -> Tensor:
        strides = tuple(pixel_stride(x) or x.shape[1] for x, _ in terms)
        note("weighted_sum", terms[0][0], sum(w is not None for _, w in terms), strides)
        return weighted_sum(terms)

    def note_pools(x: Tensor, stride: int, **kinds: bool) -> tuple[Tensor, Tensor]:
        note("pools", x, stride, kinds["maximum"], kinds["mean"])
        return pools(x, stride, **kinds)

    def note_candidates(
        x: Tensor,
        separable: Sequence[tuple[EdgeUnits, EdgeUnits]],
        dilated: Sequence[EdgeUnits],
        shared: Shared,
        scales: Sequence[Tensor],
    ) -> Tensor:
        units = [pair[0] for pair in separable] + list(dilated)
        shapes = tuple((unit.depthwise.shape[-1], unit.dilation) for unit in units)
        edges = len(scales[0]) // x.shape[1]
        others = (shared.maximum is not None, shared.mean is not None, shared.skip)
        note("candidates", x, edges, units[0].stride, shapes, len(separable), others)
        return candidates(x, separable, dilated, shared, scales)

    def note_operations(
        x: Tensor, units: Sequence[Sequence[EdgeUnits]], factors: Sequence[Tensor] | None
    ) -> Tensor:
        shapes = tuple((one[0].depthwise.shape[-1], one[0].dilation, len(one)) for one in units)
        note("operations", x, units[0][0].stride, shapes, factors is not None)
        return operations(x, units, factors)

    batch = search_step.batch_of(RECORDED_BATCH, "darts" if name == "training" else name, "cpu")
    own = {**gpu_steps.DEFAULTS, **words, "device": "cpu", "precision": "32"}
    work = (
        gpu_steps.training_contender("eager", own, batch)
        if name == "training"
        else gpu_steps.search_contender(name, "eager", own, batch)
    )
    with ExitStack() as patches:
        patches.enter_context(launches.counted_kernels(Counter()))
        for kernel, function in (
            ("depthwise", note_depthwise),
            ("pointwise", note_pointwise),
            ("normalise", note_normalise),
            ("pools", note_pools),
            ("candidates", note_candidates),
            ("operations", note_operations),
            ("weighted_sum", note_weighted_sum),
        ):
            patches.enter_context(mock.patch.object(gpu, kernel, function))
        work()
        calls.clear()
        work()
    return calls


def make(call: Call, device: str, dtype: torch.dtype) -> Work:
    """Return a call with random inputs."""

    def images(*shape: int) -> Tensor:
        x = torch.randn(shape, device=device, dtype=dtype)
        return x.contiguous(memory_format=LAST).requires_grad_()

    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, device=device).requires_grad_()

    x = images(*call.shape)
    batch, channels, height, width = call.shape
    if call.kernel == "depthwise":
        edges, kernel, stride, dilation, rectify = call.settings
        how = {"stride": stride, "dilation": dilation}

        def convolve(x: Tensor, weight: Tensor) -> Tensor:
            x = F.relu(x) if rectify else x
            x, padding = torch.cat([x] * edges, 1), kernel // 2 * dilation
            return F.conv2d(x, weight.to(x.dtype), padding=padding, groups=edges * channels, **how)

        weight = numbers(edges * channels, 1, kernel, kernel)
        return Work(
            lambda x, weight: gpu.depthwise(x, weight, rectify=rectify, **how),
            convolve,
            [x, weight],
        )
    if call.kernel == "pointwise":
        outputs, groups = call.settings
        return Work(
            lambda x, weight: gpu.pointwise(x, weight, groups),
            lambda x, weight: F.conv2d(x, weight.to(x.dtype), groups=groups),
            [x, numbers(outputs, channels // groups, 1, 1)],
        )
    if call.kernel == "normalise":
        layer = nn.BatchNorm2d(channels, affine=False).to(device)
        given: list[Tensor | None] = [
            tensor() if wanted else None
            for wanted, tensor in zip(
                call.settings,
                (
                    lambda: numbers(channels),
                    lambda: numbers(channels),
                    lambda: images(*call.shape),
                ),
                strict=True,
            )
        ]

        def unpack(inputs: Sequence[Tensor]) -> list[Tensor | None]:
            left = list(inputs)
            return [left.pop(0) if one is not None else None for one in given]

        def ours(x: Tensor, *inputs: Tensor) -> Tensor:
            scale, shift, onto = unpack(inputs)
            return gpu.normalise(layer, x, scale, shift, onto=onto)

        def theirs(x: Tensor, *inputs: Tensor) -> Tensor:
            scale, shift, onto = unpack(inputs)
            y = F.batch_norm(x, None, None, scale, shift, training=True)
            return y if onto is None else onto + y

        return Work(ours, theirs, [x, *(one for one in given if one is not None)])
    if call.kernel == "candidates":
        return make_candidates(call, x, numbers)
    if call.kernel == "operations":
        return make_operations(call, x, numbers)
    if call.kernel == "pools":
        stride, maximum, mean = call.settings

        def ours_pools(x: Tensor) -> Tensor:
            return torch.cat(gpu.pools(x, stride, maximum=maximum, mean=mean))

        def their_pools(x: Tensor) -> Tensor:
            found = [F.max_pool2d(x, 3, stride, 1)] if maximum else []
            if mean:
                # See `ltnas.models.pools.mean_pool`.
                x = x.contiguous()
                found.append(F.avg_pool2d(x, 3, stride, 1, count_include_pad=False))
            return torch.cat(found)

        return Work(ours_pools, their_pools, [x])
    weighted, strides = call.settings
    terms = [
        images(batch, stride, height, width).detach()[:, :channels].requires_grad_()
        for stride in strides
    ]
    weights = [numbers() for _ in range(weighted)]

    def pairs(inputs: Sequence[Tensor]) -> list[tuple[Tensor, Tensor | None]]:
        tensors, factors = inputs[: len(terms)], [*inputs[len(terms) :]]
        return [(x, factors[i] if i < weighted else None) for i, x in enumerate(tensors)]

    def added(*inputs: Tensor) -> Tensor:
        terms = (x if w is None else x * w.to(x.dtype) for x, w in pairs(inputs))
        return functools.reduce(torch.add, terms)

    return Work(lambda *inputs: gpu.weighted_sum(pairs(inputs)), added, [*terms, *weights])


def make_candidates(call: Call, x: Tensor, numbers: Callable[..., Tensor]) -> Work:
    """Return all candidates of a state with random weights."""
    edges, stride, shapes, separable, (maximum, mean, skip) = call.settings
    channels = call.shape[1]
    filters = edges * channels
    # (kernel, stride, dilation) of the first units and then of the second ones.
    units = [(kernel, stride, dilation) for kernel, dilation in shapes]
    units += [(kernel, 1, 1) for kernel, _ in shapes[:separable]]
    weights = [numbers(filters, 1, kernel, kernel) for kernel, *_ in units]
    weights += [numbers(filters, channels, 1, 1) for _ in units]
    scales = [numbers(filters) for _ in range(len(shapes) + maximum + mean + skip)]
    pools = [nn.BatchNorm2d(channels, affine=False).to(x.device) for _ in range(2)]
    shared = Shared(pools[0] if maximum else None, pools[1] if mean else None, skip)
    norms = [nn.BatchNorm2d(filters, affine=False).to(x.device) for _ in units]

    def ours(x: Tensor, *inputs: Tensor) -> Tensor:
        made = [
            EdgeUnits(inputs[i], inputs[len(units) + i], norms[i], own_stride, dilation)
            for i, (_, own_stride, dilation) in enumerate(units)
        ]
        first, second = made[: len(shapes)], made[len(shapes) :]
        pairs = list(zip(first[:separable], second, strict=True))
        return gpu.candidates(x, pairs, first[separable:], shared, inputs[2 * len(units) :])

    def theirs(x: Tensor, *inputs: Tensor) -> Tensor:
        def unit(number: int, y: Tensor) -> Tensor:
            kernel, own_stride, dilation = units[number]
            y = F.conv2d(
                F.relu(y),
                inputs[number].to(y.dtype),
                stride=own_stride,
                padding=kernel // 2 * dilation,
                dilation=dilation,
                groups=filters,
            )
            y = F.conv2d(y, inputs[len(units) + number].to(y.dtype), groups=edges)
            return F.batch_norm(y, None, None, training=True)

        total: Tensor | None = None
        for number in range(len(shapes)):
            y = unit(number, torch.cat([x] * edges, 1))
            if number < separable:
                y = unit(len(shapes) + number, y)
            y = y * inputs[2 * len(units) + number].to(y.dtype).view(1, -1, 1, 1)
            total = y if total is None else total + y
        assert total is not None
        others = [F.max_pool2d(x, 3, stride, 1)] if maximum else []
        if mean:
            # See `ltnas.models.pools.mean_pool`.
            others.append(F.avg_pool2d(x.contiguous(), 3, stride, 1, count_include_pad=False))
        others = [F.batch_norm(one, None, None, training=True) for one in others]
        others += [x] if skip else []
        for y, scale in zip(others, inputs[2 * len(units) + len(shapes) :], strict=True):
            total = total + torch.cat([y] * edges, 1) * scale.to(y.dtype).view(1, -1, 1, 1)
        return total

    return Work(ours, theirs, [x, *weights, *scales])


def make_operations(call: Call, x: Tensor, numbers: Callable[..., Tensor]) -> Work:
    """Return operations of a discrete network with random weights, scales and shifts."""
    stride, shapes, dropped = call.settings
    channels = call.shape[1]
    # (kernel, stride, dilation) of the units of one operation after another.
    units = [
        (kernel, 1 if number else stride, dilation)
        for kernel, dilation, count in shapes
        for number in range(count)
    ]
    weights = [numbers(channels, 1, kernel, kernel) for kernel, *_ in units]
    weights += [numbers(channels, channels, 1, 1) for _ in units]
    norms = [nn.BatchNorm2d(channels).to(x.device) for _ in units]
    learned = [p for norm in norms for p in (norm.weight, norm.bias)]
    for parameter in learned:
        nn.init.uniform_(parameter, -1, 1)
    factors = [torch.rand(len(x), 1, 1, 1, device=x.device).to(x.dtype) for _ in shapes]

    def ours(x: Tensor, *inputs: Tensor) -> Tensor:
        made = [
            EdgeUnits(inputs[i], inputs[len(units) + i], norms[i], own_stride, dilation)
            for i, (_, own_stride, dilation) in enumerate(units)
        ]
        remaining = iter(made)
        chosen = [[next(remaining) for _ in range(count)] for _, _, count in shapes]
        return gpu.operations(x, chosen, factors if dropped else None)

    def theirs(x: Tensor, *inputs: Tensor) -> Tensor:
        remaining = iter(range(len(units)))
        found = []
        for (_, _, count), factor in zip(shapes, factors, strict=True):
            y = x
            for number in (next(remaining) for _ in range(count)):
                kernel, own_stride, dilation = units[number]
                y = F.conv2d(
                    F.relu(y),
                    inputs[number].to(y.dtype),
                    stride=own_stride,
                    padding=kernel // 2 * dilation,
                    dilation=dilation,
                    groups=channels,
                )
                y = F.conv2d(y, inputs[len(units) + number].to(y.dtype))
                scale, shift = inputs[2 * len(units) + 2 * number :][:2]
                y = F.batch_norm(y, None, None, scale, shift, training=True)
            found.append(y * factor.to(y.dtype) if dropped else y)
        return torch.cat(found, 1)

    return Work(ours, theirs, [x, *weights, *learned])


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
    with mock.patch.dict(os.environ, {SWITCH: "off"}):
        recordings = {name: recorded(name, words) for name in words["steps"].split(",")}
    calls = sorted({call for counts in recordings.values() for call in counts}, key=str)
    jobs: dict[tuple[Any, ...], list[tuple[Call, str, str]]] = {}
    for call in calls:
        jobs.setdefault(variant(call), []).append((call, device, precision))
    with ProcessPoolExecutor(int(words["workers"]), mp_context=get_context("spawn")) as pool:
        differences = {
            call: error for found in pool.map(errors_of, jobs.values()) for call, error in found
        }
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
