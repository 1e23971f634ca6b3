"""Depthwise convolution of one state by the filters of several edges, on a GPU.

Every edge that leaves a state convolves the same rectified channels with filters of its own. The
kernels read the state once for all edges: the output channel e * C + c is computed from the input
channel c.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.layout import dense, empty, spaced

COLUMNS = 4
"""Neighbouring pixels of a row that a thread computes together; the kernels name each of them."""
LARGEST = 7
"""Largest kernel."""
ELEMENTS = 1024
"""Elements of a program: channels of groups of COLUMNS pixels."""
SIZES = ["groups", "pixels", "height", "width", "out_height", "out_width", "edges", "span"]
"""Arguments for whose values Triton shall compile no variants."""
PROGRAMS = 1056
"""Number of programs of the weight gradient, 8 for each multiprocessor of an H100."""


@triton.jit
def _filter(
    taps, c, mask,
    TAP: tl.constexpr, KERNEL: tl.constexpr, FILTERS: tl.constexpr, TURNED: tl.constexpr,
):  # fmt: skip
    """Load the weights of a tap of a row, 0 if the kernel has no such tap."""
    if TAP < KERNEL:
        COLUMN: tl.constexpr = KERNEL - 1 - TAP if TURNED else TAP
        return tl.load(taps + COLUMN * FILTERS + c, mask=mask, other=0.0)
    else:
        return 0.0


@triton.jit
def _tap(
    total, value, w0, w1, w2, w3, w4, w5, w6,
    OFFSET: tl.constexpr, DILATION: tl.constexpr, KERNEL: tl.constexpr,
):  # fmt: skip
    """Add the product with the tap at a distance of OFFSET from the first one, if there is one."""
    TAP: tl.constexpr = OFFSET // DILATION
    if OFFSET >= 0 and OFFSET % DILATION == 0 and TAP < KERNEL:
        if TAP == 0:
            total += value * w0
        elif TAP == 1:
            total += value * w1
        elif TAP == 2:
            total += value * w2
        elif TAP == 3:
            total += value * w3
        elif TAP == 4:
            total += value * w4
        elif TAP == 5:
            total += value * w5
        else:
            total += value * w6
    return total


@triton.jit
def _write(
    y, total, sign, to, real, column, width,
    COLUMN: tl.constexpr, STEP: tl.constexpr, SIGN_STEP: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    """Store one column of the result; MASKED: 0 where the sign is not positive."""
    mask = real & (column + COLUMN < width)
    if MASKED:
        value = tl.load(sign + COLUMN * SIGN_STEP, mask=mask, other=0.0)
        total = tl.where(value > 0, total, 0.0)
    tl.store(y + to + COLUMN * STEP, total.to(y.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=SIZES)
def _convolve(
    x, taps, sign, y,
    groups, height, width, out_height, out_width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, X_STEP: tl.constexpr, Y_STEP: tl.constexpr,
    SIGN_STEP: tl.constexpr, KERNEL: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr,
    RECTIFY: tl.constexpr, BACKWARD: tl.constexpr, COLUMNS: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Convolve x with the filters of one edge, or, backwards, sum over edges with turned filters.

    A thread has the same channels of four columns: each value that it loads is used for all of
    them. Steps are distances of two pixels; `sign` is the input whose rectification is undone.
    """
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, group = element % CHANNELS, element // CHANNELS
    real = group < groups
    in_row = (out_width + COLUMNS - 1) // COLUMNS
    column, row = (group % in_row) * COLUMNS, (group // in_row) % out_height
    image = group // (in_row * out_height)
    first = 0 if BACKWARD else tl.program_id(1)
    t0 = tl.zeros([ELEMENTS], dtype=tl.float32)
    t1, t2, t3 = t0, t0, t0
    for edge in range(first, first + edges):
        filters = taps + edge * CHANNELS
        source = x + c + edge * CHANNELS if BACKWARD else x + c
        for i in range(KERNEL):
            h = row * STRIDE + (i - KERNEL // 2) * DILATION
            row_exists = real & (h >= 0) & (h < height)
            line = source + (image * height + h) * width * X_STEP
            # Backwards, the kernel is turned by half a turn.
            row_of_taps = filters + (KERNEL - 1 - i if BACKWARD else i) * KERNEL * FILTERS
            w0 = _filter(row_of_taps, c, real, 0, KERNEL, FILTERS, BACKWARD)
            w1 = _filter(row_of_taps, c, real, 1, KERNEL, FILTERS, BACKWARD)
            w2 = _filter(row_of_taps, c, real, 2, KERNEL, FILTERS, BACKWARD)
            w3 = _filter(row_of_taps, c, real, 3, KERNEL, FILTERS, BACKWARD)
            w4 = _filter(row_of_taps, c, real, 4, KERNEL, FILTERS, BACKWARD)
            w5 = _filter(row_of_taps, c, real, 5, KERNEL, FILTERS, BACKWARD)
            w6 = _filter(row_of_taps, c, real, 6, KERNEL, FILTERS, BACKWARD)
            for m in tl.static_range((COLUMNS - 1) * STRIDE + (KERNEL - 1) * DILATION + 1):
                v = column * STRIDE + m - (KERNEL // 2) * DILATION
                mask = row_exists & (v >= 0) & (v < width)
                value = tl.load(line + v * X_STEP, mask=mask, other=0.0).to(tl.float32)
                if RECTIFY and not BACKWARD:
                    value = tl.maximum(value, 0.0, propagate_nan=tl.PropagateNan.ALL)
                t0 = _tap(t0, value, w0, w1, w2, w3, w4, w5, w6, m, DILATION, KERNEL)
                t1 = _tap(t1, value, w0, w1, w2, w3, w4, w5, w6, m - STRIDE, DILATION, KERNEL)
                t2 = _tap(t2, value, w0, w1, w2, w3, w4, w5, w6, m - 2 * STRIDE, DILATION, KERNEL)
                t3 = _tap(t3, value, w0, w1, w2, w3, w4, w5, w6, m - 3 * STRIDE, DILATION, KERNEL)
    pixel = (image * out_height + row) * out_width + column
    to, sign = pixel * Y_STEP + first * CHANNELS + c, sign + pixel * SIGN_STEP + c
    masked: tl.constexpr = BACKWARD and RECTIFY
    _write(y, t0, sign, to, real, column, out_width, 0, Y_STEP, SIGN_STEP, masked)
    _write(y, t1, sign, to, real, column, out_width, 1, Y_STEP, SIGN_STEP, masked)
    _write(y, t2, sign, to, real, column, out_width, 2, Y_STEP, SIGN_STEP, masked)
    _write(y, t3, sign, to, real, column, out_width, 3, Y_STEP, SIGN_STEP, masked)


@triton.jit(do_not_specialize=SIZES)
def _strided_input_gradient(
    gradient, taps, sign, dx,
    pixels, height, width, out_height, out_width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, SIGN_STEP: tl.constexpr, KERNEL: tl.constexpr,
    STRIDE: tl.constexpr, DILATION: tl.constexpr, RECTIFY: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Gradient of the input of a convolution with a stride; `sign` is that input."""
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, pixel = element % CHANNELS, element // CHANNELS
    real = pixel < pixels
    column, row, image = pixel % width, (pixel // width) % height, pixel // (width * height)
    total = tl.zeros([ELEMENTS], dtype=tl.float32)
    for edge in range(edges):
        for tap in range(KERNEL * KERNEL):
            above = row - (tap // KERNEL - KERNEL // 2) * DILATION
            left = column - (tap % KERNEL - KERNEL // 2) * DILATION
            h, v = above // STRIDE, left // STRIDE
            used = real & (above >= 0) & (h < out_height) & (left >= 0) & (v < out_width)
            used = used & (above % STRIDE == 0) & (left % STRIDE == 0)
            at = ((image * out_height + h) * out_width + v) * FILTERS + c
            value = tl.load(gradient + at + edge * CHANNELS, mask=used, other=0.0)
            factor = tl.load(taps + tap * FILTERS + edge * CHANNELS + c, mask=used, other=0.0)
            total += value.to(tl.float32) * factor
    if RECTIFY:
        value = tl.load(sign + pixel * SIGN_STEP + c, mask=real, other=0.0)
        total = tl.where(value > 0, total, 0.0)
    tl.store(dx + element, total.to(dx.dtype.element_ty), mask=real)


@triton.jit
def _gradient_tap(
    total, value, g0, g1, g2, g3,
    OFFSET: tl.constexpr, STRIDE: tl.constexpr,
):  # fmt: skip
    """Add the product of a value with the gradient of the column that sees it through a tap."""
    COLUMN: tl.constexpr = OFFSET // STRIDE
    if OFFSET >= 0 and OFFSET % STRIDE == 0 and COLUMN < 4:  # COLUMNS
        if COLUMN == 0:
            total += value * g0
        elif COLUMN == 1:
            total += value * g1
        elif COLUMN == 2:
            total += value * g2
        else:
            total += value * g3
    return total


@triton.jit
def _gradient_column(
    line, mask, column, width, COLUMN: tl.constexpr, FILTERS: tl.constexpr
):  # fmt: skip
    exists = mask & (column + COLUMN < width)
    return tl.load(line + COLUMN * FILTERS, mask=exists, other=0.0).to(tl.float32)


@triton.jit
def _store_tap(
    partial, to, total, exists, TAP: tl.constexpr, KERNEL: tl.constexpr
):  # fmt: skip
    if TAP < KERNEL:
        tl.store(partial + to + TAP, tl.sum(total, axis=0), mask=exists)


@triton.jit(do_not_specialize=SIZES)
def _weight_gradient(
    gradient, x, partial,
    groups, height, width, out_height, out_width, span,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, X_STEP: tl.constexpr, KERNEL: tl.constexpr,
    STRIDE: tl.constexpr, DILATION: tl.constexpr, RECTIFY: tl.constexpr, COLUMNS: tl.constexpr,
    GROUPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradient of one row of the kernel from a part of the pixels; sums are kept per thread."""
    blocks: tl.constexpr = (CHANNELS + BLOCK - 1) // BLOCK
    edge = tl.program_id(0) // blocks
    c = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)[None, :]
    i, split = tl.program_id(1), tl.program_id(2)  # row of the kernel, part of the pixels
    channel_exists = c < CHANNELS
    in_row = (out_width + COLUMNS - 1) // COLUMNS
    t0 = tl.zeros([GROUPS, BLOCK], dtype=tl.float32)
    t1, t2, t3, t4, t5, t6 = t0, t0, t0, t0, t0, t0
    for start in range(split * span, split * span + span, GROUPS):
        group = start + tl.arange(0, GROUPS)[:, None]
        column, row = (group % in_row) * COLUMNS, (group // in_row) % out_height
        image = group // (in_row * out_height)
        real = (group < groups) & channel_exists
        pixel = (image * out_height + row) * out_width + column
        to = gradient + pixel * FILTERS + edge * CHANNELS + c
        g0 = _gradient_column(to, real, column, out_width, 0, FILTERS)
        g1 = _gradient_column(to, real, column, out_width, 1, FILTERS)
        g2 = _gradient_column(to, real, column, out_width, 2, FILTERS)
        g3 = _gradient_column(to, real, column, out_width, 3, FILTERS)
        h = row * STRIDE + (i - KERNEL // 2) * DILATION
        row_exists = real & (h >= 0) & (h < height)
        line = x + (image * height + h) * width * X_STEP + c
        for m in tl.static_range((COLUMNS - 1) * STRIDE + (KERNEL - 1) * DILATION + 1):
            v = column * STRIDE + m - (KERNEL // 2) * DILATION
            mask = row_exists & (v >= 0) & (v < width)
            value = tl.load(line + v * X_STEP, mask=mask, other=0.0).to(tl.float32)
            if RECTIFY:
                value = tl.maximum(value, 0.0, propagate_nan=tl.PropagateNan.ALL)
            t0 = _gradient_tap(t0, value, g0, g1, g2, g3, m, STRIDE)
            t1 = _gradient_tap(t1, value, g0, g1, g2, g3, m - DILATION, STRIDE)
            t2 = _gradient_tap(t2, value, g0, g1, g2, g3, m - 2 * DILATION, STRIDE)
            if KERNEL > 3:
                t3 = _gradient_tap(t3, value, g0, g1, g2, g3, m - 3 * DILATION, STRIDE)
                t4 = _gradient_tap(t4, value, g0, g1, g2, g3, m - 4 * DILATION, STRIDE)
            if KERNEL > 5:
                t5 = _gradient_tap(t5, value, g0, g1, g2, g3, m - 5 * DILATION, STRIDE)
                t6 = _gradient_tap(t6, value, g0, g1, g2, g3, m - 6 * DILATION, STRIDE)
    filters = split * FILTERS + edge * CHANNELS + tl.program_id(0) % blocks * BLOCK
    filters += tl.arange(0, BLOCK)
    exists = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK) < CHANNELS
    to = filters * (KERNEL * KERNEL) + i * KERNEL
    _store_tap(partial, to, t0, exists, 0, KERNEL)
    _store_tap(partial, to, t1, exists, 1, KERNEL)
    _store_tap(partial, to, t2, exists, 2, KERNEL)
    _store_tap(partial, to, t3, exists, 3, KERNEL)
    _store_tap(partial, to, t4, exists, 4, KERNEL)
    _store_tap(partial, to, t5, exists, 5, KERNEL)
    _store_tap(partial, to, t6, exists, 6, KERNEL)


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
    """What the backward pass needs beside tensors; `x_step` is the distance of two pixels."""

    stride: int
    dilation: int
    rectify: bool
    x_step: int


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
        x, x_step = spaced(x)
        batch, channels, height, width = x.shape
        filters, kernel = len(weight), weight.shape[-1]
        if kernel > LARGEST or kernel % 2 == 0:
            raise ValueError(f"kernels of {kernel} x {kernel} are not supported")
        out_height, out_width = -(-height // stride), -(-width // stride)
        y = empty(batch, filters, out_height, out_width, like=x)
        # [k * k, filters], so that the weights of neighbouring channels lie side by side.
        taps = weight.view(filters, kernel * kernel).t().contiguous()
        groups = batch * out_height * triton.cdiv(out_width, COLUMNS)
        _convolve[triton.cdiv(groups * channels, ELEMENTS), filters // channels](
            x, taps, x, y,
            groups, height, width, out_height, out_width, 1,
            CHANNELS=channels, FILTERS=filters, X_STEP=x_step, Y_STEP=filters, SIGN_STEP=x_step,
            KERNEL=kernel, STRIDE=stride, DILATION=dilation, RECTIFY=rectify, BACKWARD=False,
            COLUMNS=COLUMNS, ELEMENTS=ELEMENTS,
        )  # fmt: skip
        ctx.save_for_backward(x, taps)
        ctx.settings = _Settings(stride, dilation, rectify, x_step)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, taps = ctx.saved_tensors
        gradient = dense(gradients[0])
        needs_x, needs_weight, *_ = ctx.needs_input_grad
        dx = _dx(gradient, x, taps, ctx.settings) if needs_x else None
        dw = _dw(gradient, x, taps, ctx.settings) if needs_weight else None
        return dx, dw, None, None, None


def _dx(gradient: Tensor, x: Tensor, taps: Tensor, settings: _Settings) -> Tensor:
    """Return the gradient of the input, the sum over edges."""
    stride, dilation, rectify, x_step = settings
    batch, channels, height, width = x.shape
    _, filters, out_height, out_width = gradient.shape
    kernel, edges = math.isqrt(len(taps)), filters // channels
    dx = empty(batch, channels, height, width, like=x)
    if stride == 1:
        groups = batch * height * triton.cdiv(width, COLUMNS)
        _convolve[triton.cdiv(groups * channels, ELEMENTS), 1](
            gradient, taps, x, dx,
            groups, height, width, height, width, edges,
            CHANNELS=channels, FILTERS=filters, X_STEP=filters, Y_STEP=channels, SIGN_STEP=x_step,
            KERNEL=kernel, STRIDE=1, DILATION=dilation, RECTIFY=rectify, BACKWARD=True,
            COLUMNS=COLUMNS, ELEMENTS=ELEMENTS,
        )  # fmt: skip
        return dx
    pixels = batch * height * width
    _strided_input_gradient[(triton.cdiv(pixels * channels, ELEMENTS),)](
        gradient, taps, x, dx,
        pixels, height, width, out_height, out_width, edges,
        CHANNELS=channels, FILTERS=filters, SIGN_STEP=x_step,
        KERNEL=kernel, STRIDE=stride, DILATION=dilation, RECTIFY=rectify, ELEMENTS=ELEMENTS,
    )  # fmt: skip
    return dx


def _dw(gradient: Tensor, x: Tensor, taps: Tensor, settings: _Settings) -> Tensor:
    """Return the gradient of the weights, a sum of parts that programs compute by themselves."""
    stride, dilation, rectify, x_step = settings
    batch, channels, height, width = x.shape
    _, filters, out_height, out_width = gradient.shape
    kernel, block = math.isqrt(len(taps)), 16 if channels % 32 else 32
    groups = batch * out_height * triton.cdiv(out_width, COLUMNS)
    step = ELEMENTS // block
    columns = triton.cdiv(channels, block) * (filters // channels)
    splits = max(1, min(triton.cdiv(PROGRAMS, columns * kernel), triton.cdiv(groups, step)))
    span = triton.cdiv(triton.cdiv(groups, splits), step) * step
    partial = torch.empty(splits, filters, kernel**2, dtype=torch.float32, device=x.device)
    _weight_gradient[columns, kernel, splits](
        gradient, x, partial,
        groups, height, width, out_height, out_width, span,
        CHANNELS=channels, FILTERS=filters, X_STEP=x_step,
        KERNEL=kernel, STRIDE=stride, DILATION=dilation, RECTIFY=rectify,
        COLUMNS=COLUMNS, GROUPS=step, BLOCK=block,
    )  # fmt: skip
    return partial.sum(0).view(filters, 1, kernel, kernel)
