"""Sum of the terms of a node on a GPU, up to eight of them in a launch.

Some terms have a mixing weight; the others have it folded into their normalisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.layout import empty, power_of_two, spaced

TERMS = 8
"""Terms of a launch; the kernels have an argument for each."""
ELEMENTS = 2048
"""Elements of a program."""
WEIGHTS = [f"w{number}" for number in range(TERMS)]


@triton.jit
def _term(x, w, stride, at_pixel, c, mask, WEIGHTED: tl.constexpr):
    value = tl.load(x + at_pixel * stride + c, mask=mask, other=0.0).to(tl.float32)
    return value * tl.load(w).to(tl.float32) if WEIGHTED else value


@triton.jit(do_not_specialize=["pixels"], do_not_specialize_on_alignment=WEIGHTS)
def _sum(
    y, x0, x1, x2, x3, x4, x5, x6, x7, w0, w1, w2, w3, w4, w5, w6, w7,
    s0, s1, s2, s3, s4, s5, s6, s7, pixels, channels,
    COUNT: tl.constexpr, WEIGHTED: tl.constexpr, ADDS: tl.constexpr,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Write the sum of the first COUNT terms to y, or add it; WEIGHTED has a bit for each term."""
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)[:, None]
    mask = (p < pixels) & (c < channels)
    total = _term(x0, w0, s0, p, c, mask, WEIGHTED & 1)
    if COUNT > 1:
        total += _term(x1, w1, s1, p, c, mask, WEIGHTED & 2)
    if COUNT > 2:
        total += _term(x2, w2, s2, p, c, mask, WEIGHTED & 4)
    if COUNT > 3:
        total += _term(x3, w3, s3, p, c, mask, WEIGHTED & 8)
    if COUNT > 4:
        total += _term(x4, w4, s4, p, c, mask, WEIGHTED & 16)
    if COUNT > 5:
        total += _term(x5, w5, s5, p, c, mask, WEIGHTED & 32)
    if COUNT > 6:
        total += _term(x6, w6, s6, p, c, mask, WEIGHTED & 64)
    if COUNT > 7:
        total += _term(x7, w7, s7, p, c, mask, WEIGHTED & 128)
    if ADDS:
        total += tl.load(y + p * channels + c, mask=mask, other=0.0).to(tl.float32)
    tl.store(y + p * channels + c, total.to(y.dtype.element_ty), mask=mask)


@triton.jit
def _part(
    x, w, dx, dot, stride, p, c, mask, grad, channels,
    SCALES: tl.constexpr, MULTIPLIES: tl.constexpr,
):  # fmt: skip
    if SCALES:
        value = grad * tl.load(w).to(tl.float32)
        tl.store(dx + p * channels + c, value.to(dx.dtype.element_ty), mask=mask)
    if MULTIPLIES:
        value = tl.load(x + p * stride + c, mask=mask, other=0.0).to(tl.float32)
        tl.store(dot, tl.sum(grad * value))


@triton.jit(do_not_specialize=["pixels"], do_not_specialize_on_alignment=WEIGHTS)
def _gradients(
    gradient, dots, x0, x1, x2, x3, x4, x5, x6, x7, w0, w1, w2, w3, w4, w5, w6, w7,
    d0, d1, d2, d3, d4, d5, d6, d7, s0, s1, s2, s3, s4, s5, s6, s7, pixels, channels, stride,
    COUNT: tl.constexpr, SCALES: tl.constexpr, MULTIPLIES: tl.constexpr,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Gradients of weighted terms, and parts of those of their weights, [programs, COUNT]."""
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)[:, None]
    mask = (p < pixels) & (c < channels)
    grad = tl.load(gradient + p * stride + c, mask=mask, other=0.0).to(tl.float32)
    dot = dots + (tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)) * COUNT
    _part(x0, w0, d0, dot, s0, p, c, mask, grad, channels, SCALES, MULTIPLIES)
    if COUNT > 1:
        _part(x1, w1, d1, dot + 1, s1, p, c, mask, grad, channels, SCALES, MULTIPLIES)
    if COUNT > 2:
        _part(x2, w2, d2, dot + 2, s2, p, c, mask, grad, channels, SCALES, MULTIPLIES)
    if COUNT > 3:
        _part(x3, w3, d3, dot + 3, s3, p, c, mask, grad, channels, SCALES, MULTIPLIES)
    if COUNT > 4:
        _part(x4, w4, d4, dot + 4, s4, p, c, mask, grad, channels, SCALES, MULTIPLIES)
    if COUNT > 5:
        _part(x5, w5, d5, dot + 5, s5, p, c, mask, grad, channels, SCALES, MULTIPLIES)
    if COUNT > 6:
        _part(x6, w6, d6, dot + 6, s6, p, c, mask, grad, channels, SCALES, MULTIPLIES)
    if COUNT > 7:
        _part(x7, w7, d7, dot + 7, s7, p, c, mask, grad, channels, SCALES, MULTIPLIES)


@triton.jit
def _copy(x, y, p, c, step, mask, PART: tl.constexpr, CHANNELS: tl.constexpr, Y_STEP: tl.constexpr):
    value = tl.load(x + p * step + c, mask=mask, other=0.0)
    tl.store(y + p * Y_STEP + PART * CHANNELS + c, value, mask=mask)


@triton.jit(do_not_specialize=["pixels"])
def _concatenate(
    y, x0, x1, x2, x3, x4, x5, x6, x7, s0, s1, s2, s3, s4, s5, s6, s7, pixels,
    CHANNELS: tl.constexpr, COUNT: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Write tensors with as many channels each side by side; each program copies from one."""
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, p = element % CHANNELS, element // CHANNELS
    mask = p < pixels
    part = tl.program_id(1)
    if part == 0:
        _copy(x0, y, p, c, s0, mask, 0, CHANNELS, CHANNELS * COUNT)
    elif part == 1:
        _copy(x1, y, p, c, s1, mask, 1, CHANNELS, CHANNELS * COUNT)
    elif part == 2:
        _copy(x2, y, p, c, s2, mask, 2, CHANNELS, CHANNELS * COUNT)
    elif part == 3:
        _copy(x3, y, p, c, s3, mask, 3, CHANNELS, CHANNELS * COUNT)
    elif part == 4:
        _copy(x4, y, p, c, s4, mask, 4, CHANNELS, CHANNELS * COUNT)
    elif part == 5:
        _copy(x5, y, p, c, s5, mask, 5, CHANNELS, CHANNELS * COUNT)
    elif part == 6:
        _copy(x6, y, p, c, s6, mask, 6, CHANNELS, CHANNELS * COUNT)
    else:
        _copy(x7, y, p, c, s7, mask, 7, CHANNELS, CHANNELS * COUNT)


def split(x: Tensor, channels: int) -> Sequence[Tensor]:
    """Return slices of a number of channels, whose gradients are put together in one launch.

    Args:
        x: tensor, [B, parts * channels, H, W].
        channels: channels of each slice.
    """
    if not 1 < x.shape[1] // channels <= TERMS:
        slices: Sequence[Tensor] = x.split(channels, 1)
        return slices
    parts: tuple[Tensor, ...] = _Split.apply(x, channels)
    return parts


class _Split(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, channels: int) -> tuple[Tensor, ...]:  # noqa: ANN401
        parts: tuple[Tensor, ...] = x.split(channels, 1)
        return parts

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        pairs = [spaced(gradient) for gradient in gradients]
        batch, channels, height, width = gradients[0].shape
        pixels = batch * height * width
        y = empty(batch, len(pairs) * channels, height, width, like=gradients[0])
        _concatenate[triton.cdiv(pixels * channels, ELEMENTS), len(pairs)](
            y, *_filled([x for x, _ in pairs]), *_filled([step for _, step in pairs]), pixels,
            CHANNELS=channels, COUNT=len(pairs), ELEMENTS=ELEMENTS,
        )  # fmt: skip
        return y, None


def weighted_sum(terms: Sequence[tuple[Tensor, Tensor | None]]) -> Tensor:
    """Return the sum of tensors [B, C, H, W], each multiplied by a scalar if it has one.

    Args:
        terms: tensors with their scalars, at least one.
    """
    # Weighted terms first, so that the launches of the backward pass only have such ones.
    ordered = sorted(terms, key=lambda term: term[1] is None)
    weights = [weight for _, weight in ordered if weight is not None]
    y: Tensor = _Sum.apply(len(weights), *(tensor for tensor, _ in ordered), *weights)
    return y


def _filled(values: Sequence[Any]) -> list[Any]:
    """Return the values with the last one repeated for the arguments that are not used."""
    return [*values, *[values[-1]] * (TERMS - len(values))]


def _grid(pixels: int, channels: int) -> tuple[int, int, tuple[int, int]]:
    """Return the pixels and channels of a program, and the number of programs along each."""
    block = min(64, power_of_two(channels))
    step = ELEMENTS // block
    return step, block, (triton.cdiv(pixels, step), triton.cdiv(channels, block))


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weighted: int, *inputs: Tensor) -> Tensor:  # noqa: ANN401
        count = len(inputs) - weighted
        pairs = [spaced(x) for x in inputs[:count]]
        tensors, strides = [x for x, _ in pairs], [stride for _, stride in pairs]
        weights = list(inputs[count:])
        batch, channels, height, width = tensors[0].shape
        y = empty(batch, channels, height, width, like=tensors[0])
        step, block, grid = _grid(batch * height * width, channels)
        for first in range(0, count, TERMS):
            chosen = slice(first, first + TERMS)
            own = weights[chosen]
            _sum[grid](
                y, *_filled(tensors[chosen]), *_filled(own or [y]), *_filled(strides[chosen]),
                batch * height * width, channels,
                COUNT=len(tensors[chosen]), WEIGHTED=2 ** len(own) - 1, ADDS=first > 0,
                PIXELS=step, CHANNELS=block,
            )  # fmt: skip
        ctx.save_for_backward(*tensors[:weighted], *weights)
        ctx.count, ctx.weighted, ctx.strides = count, weighted, strides
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (gradient, stride), weighted = spaced(gradients[0]), ctx.weighted
        saved = ctx.saved_tensors  # read once, as checkpointing demands
        tensors, weights = saved[:weighted], saved[weighted:]
        batch, channels, height, width = gradient.shape
        step, block, grid = _grid(batch * height * width, channels)
        needs = ctx.needs_input_grad[1:]
        scales, multiplies = any(needs[:weighted]), any(needs[ctx.count :])
        found: list[Tensor | None] = []
        found_weights: list[Tensor | None] = []
        for first in range(0, weighted, TERMS):
            chosen = slice(first, min(first + TERMS, weighted))
            count = chosen.stop - first
            dx = [empty(batch, channels, height, width, like=gradient) for _ in range(count)]
            dots = torch.empty(grid[0] * grid[1], count, device=gradient.device)
            _gradients[grid](
                gradient, dots, *_filled(tensors[chosen]), *_filled(weights[chosen]), *_filled(dx),
                *_filled(ctx.strides[chosen]), batch * height * width, channels, stride,
                COUNT=count, SCALES=scales, MULTIPLIES=multiplies, PIXELS=step, CHANNELS=block,
            )  # fmt: skip
            found += dx
            found_weights += dots.sum(0).unbind() if multiplies else [None] * count
        # The gradient of a term without a weight is that of the sum.
        found += [gradient] * (ctx.count - weighted)
        return (None, *found, *found_weights)
