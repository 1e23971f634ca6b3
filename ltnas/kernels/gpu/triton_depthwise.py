"""Depthwise convolution of one state by the filters of several edges, on a GPU.

Every edge that leaves a state convolves the same rectified channels with filters of its own. The
kernels read the state once for all edges: the output channel e * C + c is computed from the input
channel c.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.layout import dense, empty, power_of_two, spaced

PIXELS = 64
"""Pixels of a program of the forward pass and of the input gradient."""
CHANNELS = 64
"""Largest number of channels of a program."""
SIZES = ["pixels", "height", "width", "out_height", "out_width", "edges", "span", "dilation"]
"""Arguments for whose values Triton shall compile no variants."""
PROGRAMS = 1056
"""Number of programs of the weight gradient, 8 for each multiprocessor of an H100."""


@triton.jit(do_not_specialize=SIZES)
def _forward(
    x, weight, y,
    pixels, height, width, out_height, out_width, channels, out_channels, x_stride, dilation,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, RECTIFY: tl.constexpr,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(channels, CHANNELS)
    edge = tl.program_id(1) // blocks
    c = (tl.program_id(1) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    column, row = p % out_width, (p // out_width) % out_height
    image = p // (out_width * out_height)
    real, channel_exists = p < pixels, c < channels
    filters = (edge * channels + c) * (KERNEL * KERNEL)
    total = tl.zeros([PIXELS, CHANNELS], dtype=tl.float32)
    # Loops over the taps are not unrolled: 25 taps took Triton over a minute to compile.
    for tap in range(KERNEL * KERNEL):
        h = row * STRIDE + (tap // KERNEL - KERNEL // 2) * dilation
        v = column * STRIDE + (tap % KERNEL - KERNEL // 2) * dilation
        inside = real & (h >= 0) & (h < height) & (v >= 0) & (v < width)
        at = ((image * height + h) * width + v) * x_stride
        mask = inside[:, None] & channel_exists[None, :]
        value = tl.load(x + at[:, None] + c[None, :], mask=mask, other=0.0).to(tl.float32)
        if RECTIFY:
            value = tl.maximum(value, 0.0, propagate_nan=tl.PropagateNan.ALL)
        total += value * tl.load(weight + filters + tap, mask=channel_exists, other=0.0)[None, :]
    to = p[:, None] * out_channels + edge * channels + c[None, :]
    tl.store(y + to, total.to(y.dtype.element_ty), mask=real[:, None] & channel_exists[None, :])


@triton.jit(do_not_specialize=SIZES)
def _input_gradient(
    gradient, weight, x, dx,
    pixels, height, width, out_height, out_width, channels, out_channels, edges, x_stride, dilation,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, RECTIFY: tl.constexpr,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    column, row, image = p % width, (p // width) % height, p // (width * height)
    real, channel_exists = p < pixels, c < channels
    both = real[:, None] & channel_exists[None, :]
    total = tl.zeros([PIXELS, CHANNELS], dtype=tl.float32)
    for edge in range(edges):
        filters = (edge * channels + c) * (KERNEL * KERNEL)
        for tap in range(KERNEL * KERNEL):
            above = row - (tap // KERNEL - KERNEL // 2) * dilation
            left = column - (tap % KERNEL - KERNEL // 2) * dilation
            h, v = above // STRIDE, left // STRIDE
            used = real & (above >= 0) & (h < out_height) & (left >= 0) & (v < out_width)
            if STRIDE > 1:
                used = used & (above % STRIDE == 0) & (left % STRIDE == 0)
            at = ((image * out_height + h) * out_width + v) * out_channels + edge * channels
            mask = used[:, None] & channel_exists[None, :]
            value = tl.load(gradient + at[:, None] + c[None, :], mask=mask, other=0.0)
            factor = tl.load(weight + filters + tap, mask=channel_exists, other=0.0)
            total += value.to(tl.float32) * factor[None, :]
    if RECTIFY:
        value = tl.load(x + p[:, None] * x_stride + c[None, :], mask=both, other=0.0)
        total = tl.where(value > 0, total, 0.0)
    tl.store(dx + p[:, None] * channels + c[None, :], total.to(dx.dtype.element_ty), mask=both)


@triton.jit(do_not_specialize=SIZES)
def _weight_gradient(
    gradient, x, partial,
    pixels, height, width, out_height, out_width, channels, out_channels, x_stride, span, dilation,
    KERNEL: tl.constexpr, TAPS: tl.constexpr, STRIDE: tl.constexpr, RECTIFY: tl.constexpr,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    blocks = tl.cdiv(channels, CHANNELS)
    edge = tl.program_id(0) // blocks
    c = (tl.program_id(0) % blocks) * CHANNELS + tl.arange(0, CHANNELS)
    i, split = tl.program_id(1), tl.program_id(2)  # row of the kernel, part of the pixels
    j = tl.arange(0, TAPS)
    channel_exists = c < channels
    total = tl.zeros([TAPS, CHANNELS], dtype=tl.float32)
    for start in range(split * span, split * span + span, PIXELS):
        p = start + tl.arange(0, PIXELS)
        column, row = p % out_width, (p // out_width) % out_height
        image = p // (out_width * out_height)
        real = p < pixels
        to = p[:, None] * out_channels + edge * channels + c[None, :]
        mask = real[:, None] & channel_exists[None, :]
        grad = tl.load(gradient + to, mask=mask, other=0.0).to(tl.float32)
        h = row * STRIDE + (i - KERNEL // 2) * dilation
        v = column[:, None] * STRIDE + (j[None, :] - KERNEL // 2) * dilation
        row_inside = real & (h >= 0) & (h < height)
        inside = row_inside[:, None] & (v >= 0) & (v < width) & (j[None, :] < KERNEL)
        at = ((image * height + h)[:, None] * width + v) * x_stride
        mask = inside[:, :, None] & channel_exists[None, None, :]
        value = tl.load(x + at[:, :, None] + c[None, None, :], mask=mask, other=0.0).to(tl.float32)
        if RECTIFY:
            value = tl.maximum(value, 0.0, propagate_nan=tl.PropagateNan.ALL)
        total += tl.sum(value * grad[:, None, :], axis=0)
    filters = split * out_channels + edge * channels + c
    to = filters[None, :] * (KERNEL * KERNEL) + i * KERNEL + j[:, None]
    tl.store(partial + to, total, mask=(j < KERNEL)[:, None] & channel_exists[None, :])


def depthwise(x: Tensor, weight: Tensor, *, stride: int, dilation: int, rectify: bool) -> Tensor:
    """Return the depthwise convolutions with "same" padding, [B, E * C, H / stride, W / stride].

    Args:
        x: input of all edges, [B, C, H, W].
        weight: filters of the edges one after another, [E * C, 1, k, k].
        stride: stride, 1 or 2.
        dilation: distance between the taps.
        rectify: True to convolve max(x, 0).
    """
    y: Tensor = _Depthwise.apply(x, weight, stride, dilation, rectify)
    return y


class _Settings(NamedTuple):
    """What the backward pass needs beside tensors; `x_stride` is the distance of two pixels."""

    stride: int
    dilation: int
    rectify: bool
    x_stride: int


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        weight: Tensor,
        stride: int,
        dilation: int,
        rectify: bool,
    ) -> Tensor:
        (x, x_stride), weight = spaced(x), weight.contiguous()
        batch, channels, height, width = x.shape
        filters, kernel = len(weight), weight.shape[-1]
        out_height, out_width = -(-height // stride), -(-width // stride)
        y = empty(batch, filters, out_height, out_width, like=x)
        pixels, block = batch * out_height * out_width, min(CHANNELS, power_of_two(channels))
        grid = (triton.cdiv(pixels, PIXELS), triton.cdiv(channels, block) * (filters // channels))
        _forward[grid](
            x, weight, y,
            pixels, height, width, out_height, out_width, channels, filters, x_stride,
            dilation,
            KERNEL=kernel, STRIDE=stride, RECTIFY=rectify,
            PIXELS=PIXELS, CHANNELS=block,
        )  # fmt: skip
        ctx.save_for_backward(x, weight)
        ctx.settings = _Settings(stride, dilation, rectify, x_stride)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        gradient = dense(gradients[0])
        needs_x, needs_weight, *_ = ctx.needs_input_grad
        dx = _dx(gradient, x, weight, ctx.settings) if needs_x else None
        dw = _dw(gradient, x, weight, ctx.settings) if needs_weight else None
        return dx, dw, None, None, None


def _dx(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    settings: _Settings,
) -> Tensor:
    """Return the gradient of the input, the sum over edges."""
    stride, dilation, rectify, x_stride = settings
    batch, channels, height, width = x.shape
    _, filters, out_height, out_width = gradient.shape
    dx = empty(batch, channels, height, width, like=x)
    pixels, block = batch * height * width, min(CHANNELS, power_of_two(channels))
    _input_gradient[triton.cdiv(pixels, PIXELS), triton.cdiv(channels, block)](
        gradient, weight, x, dx,
        pixels, height, width, out_height, out_width, channels, filters, filters // channels,
        x_stride, dilation,
        KERNEL=weight.shape[-1], STRIDE=stride, RECTIFY=rectify,
        PIXELS=PIXELS, CHANNELS=block,
    )  # fmt: skip
    return dx


def _dw(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    settings: _Settings,
) -> Tensor:
    """Return the gradient of the weights, a sum of parts that programs compute by themselves."""
    stride, dilation, rectify, x_stride = settings
    batch, channels, height, width = x.shape
    _, filters, out_height, out_width = gradient.shape
    kernel, pixels = weight.shape[-1], batch * out_height * out_width
    # Products [PIXELS, taps of a row, channels] of a program are kept at 4,096.
    block, taps = min(32, power_of_two(channels)), power_of_two(kernel)
    step = max(4096 // (block * taps), 8)
    columns = triton.cdiv(channels, block) * (filters // channels) * kernel
    splits = max(1, min(triton.cdiv(PROGRAMS, columns), triton.cdiv(pixels, step)))
    span = triton.cdiv(triton.cdiv(pixels, splits), step) * step
    partial = torch.empty(splits, filters, kernel**2, dtype=torch.float32, device=x.device)
    _weight_gradient[columns // kernel, kernel, splits](
        gradient, x, partial,
        pixels, height, width, out_height, out_width, channels, filters, x_stride, span,
        dilation,
        KERNEL=kernel, TAPS=taps, STRIDE=stride, RECTIFY=rectify,
        PIXELS=step, CHANNELS=block,
    )  # fmt: skip
    return partial.sum(0).view_as(weight).to(weight.dtype)
