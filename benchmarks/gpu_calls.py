"""Calls of the GPU kernels that a step makes, recorded on the CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple
from unittest import mock

from torch import Tensor, nn

from benchmarks import gpu_steps, launches, search_step
from ltnas.kernels import gpu
from ltnas.kernels.gpu.edge_operations import EdgeUnits, Shared
from ltnas.kernels.gpu.layout import pixel_stride

RECORDED_BATCH = 4


class Call(NamedTuple):
    """A call of a kernel: its name, the shape of its input, and what else tells it from others."""

    kernel: str
    shape: tuple[int, int, int, int]
    settings: tuple[Any, ...]


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
