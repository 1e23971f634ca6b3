"""Gradient of the weights of depthwise convolutions, on a GPU: sums over parts of the pixels."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from ltnas.kernels.gpu.depthwise_geometry import COLUMNS, ELEMENTS, Geometry, Moments
from ltnas.kernels.gpu.triton_depthwise_taps import load

SIZES = ["groups", "height", "width", "out_height", "out_width", "span", "part_step"]
"""Arguments for whose values Triton shall compile no variants."""
PROGRAMS = 1056
"""Number of programs of the weight gradient, 8 for each multiprocessor of an H100."""


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
    line, mask, column, width, COLUMN: tl.constexpr, STEP: tl.constexpr
):  # fmt: skip
    exists = mask & (column + COLUMN < width)
    return tl.load(line + COLUMN * STEP, mask=exists, other=0.0).to(tl.float32)


@triton.jit
def _store_tap(
    partial, to, total, exists, TAP: tl.constexpr, KERNEL: tl.constexpr
):  # fmt: skip
    if TAP < KERNEL:
        tl.store(partial + to + TAP, tl.sum(total, axis=0), mask=exists)


@triton.jit
def _row_gradient(
    gradient, x, partial, mean, slopes, shifts, i,
    groups, height, width, out_height, out_width, span, part_step,
    CHANNELS: tl.constexpr, STEP: tl.constexpr, X_STEP: tl.constexpr, KERNEL: tl.constexpr,
    STRIDE: tl.constexpr, DILATION: tl.constexpr, RECTIFY: tl.constexpr, NORMALISE: tl.constexpr,
    COLUMNS: tl.constexpr, GROUPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradient of row i of the kernels from a part of the pixels; sums are kept per thread."""
    blocks: tl.constexpr = (CHANNELS + BLOCK - 1) // BLOCK
    edge = tl.program_id(0) // blocks
    c = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)[None, :]
    split = tl.program_id(2)
    channel_exists = c < CHANNELS
    in_row = (out_width + COLUMNS - 1) // COLUMNS
    average, slope, shift = 0.0, 1.0, 0.0
    if NORMALISE:
        average = tl.load(mean + c, mask=channel_exists, other=0.0)
        slope = tl.load(slopes + c, mask=channel_exists, other=0.0)
        shift = tl.load(shifts + c, mask=channel_exists, other=0.0)
    t0 = tl.zeros([GROUPS, BLOCK], dtype=tl.float32)
    t1, t2, t3, t4, t5, t6 = t0, t0, t0, t0, t0, t0
    for start in range(split * span, split * span + span, GROUPS):
        group = start + tl.arange(0, GROUPS)[:, None]
        column, row = (group % in_row) * COLUMNS, (group // in_row) % out_height
        image = group // (in_row * out_height)
        real = (group < groups) & channel_exists
        pixel = (image * out_height + row) * out_width + column
        to = gradient + pixel * STEP + edge * CHANNELS + c
        g0 = _gradient_column(to, real, column, out_width, 0, STEP)
        g1 = _gradient_column(to, real, column, out_width, 1, STEP)
        g2 = _gradient_column(to, real, column, out_width, 2, STEP)
        g3 = _gradient_column(to, real, column, out_width, 3, STEP)
        h = row * STRIDE + (i - KERNEL // 2) * DILATION
        row_exists = real & (h >= 0) & (h < height)
        line = x + (image * height + h) * width * X_STEP + c
        for m in tl.static_range((COLUMNS - 1) * STRIDE + (KERNEL - 1) * DILATION + 1):
            v = column * STRIDE + m - (KERNEL // 2) * DILATION
            mask = row_exists & (v >= 0) & (v < width)
            value = load(line + v * X_STEP, mask, average, slope, shift, RECTIFY, NORMALISE)
            t0 = _gradient_tap(t0, value, g0, g1, g2, g3, m, STRIDE)
            t1 = _gradient_tap(t1, value, g0, g1, g2, g3, m - DILATION, STRIDE)
            t2 = _gradient_tap(t2, value, g0, g1, g2, g3, m - 2 * DILATION, STRIDE)
            if KERNEL > 3:
                t3 = _gradient_tap(t3, value, g0, g1, g2, g3, m - 3 * DILATION, STRIDE)
                t4 = _gradient_tap(t4, value, g0, g1, g2, g3, m - 4 * DILATION, STRIDE)
            if KERNEL > 5:
                t5 = _gradient_tap(t5, value, g0, g1, g2, g3, m - 5 * DILATION, STRIDE)
                t6 = _gradient_tap(t6, value, g0, g1, g2, g3, m - 6 * DILATION, STRIDE)
    own = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)
    exists = own < CHANNELS
    to = split * part_step + (edge * CHANNELS + own) * (KERNEL * KERNEL) + i * KERNEL
    _store_tap(partial, to, t0, exists, 0, KERNEL)
    _store_tap(partial, to, t1, exists, 1, KERNEL)
    _store_tap(partial, to, t2, exists, 2, KERNEL)
    _store_tap(partial, to, t3, exists, 3, KERNEL)
    _store_tap(partial, to, t4, exists, 4, KERNEL)
    _store_tap(partial, to, t5, exists, 5, KERNEL)
    _store_tap(partial, to, t6, exists, 6, KERNEL)


@triton.jit(do_not_specialize=SIZES)
def _weight_gradient(
    gradient, x, partial, mean, slopes, shifts,
    groups, height, width, out_height, out_width, span, part_step,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, STEP: tl.constexpr, X_STEP: tl.constexpr,
    STRIDE: tl.constexpr, K0: tl.constexpr, D0: tl.constexpr, K1: tl.constexpr, D1: tl.constexpr,
    K2: tl.constexpr, D2: tl.constexpr, K3: tl.constexpr, D3: tl.constexpr,
    RECTIFY: tl.constexpr, NORMALISE: tl.constexpr, SLICED: tl.constexpr,
    COLUMNS: tl.constexpr, GROUPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradient of one row of the kernels of a convolution; `part_step` is that of `partial`."""
    i, own = tl.program_id(1), CHANNELS if SLICED else 0
    if i < K0:
        _row_gradient(
            gradient, x, partial, mean, slopes, shifts, i,
            groups, height, width, out_height, out_width, span, part_step,
            CHANNELS, STEP, X_STEP, K0, STRIDE, D0, RECTIFY, NORMALISE, COLUMNS, GROUPS, BLOCK,
        )  # fmt: skip
    if K1 > 0:
        if (i >= K0) & (i < K0 + K1):
            _row_gradient(
                gradient + FILTERS, x + own, partial + K0 * K0 * FILTERS, mean + own, slopes + own,
                shifts + own, i - K0, groups, height, width, out_height, out_width, span, part_step,
                CHANNELS, STEP, X_STEP, K1, STRIDE, D1, RECTIFY, NORMALISE, COLUMNS, GROUPS, BLOCK,
            )  # fmt: skip
    if K2 > 0:
        if (i >= K0 + K1) & (i < K0 + K1 + K2):
            _row_gradient(
                gradient + 2 * FILTERS, x + 2 * own, partial + (K0 * K0 + K1 * K1) * FILTERS,
                mean + 2 * own, slopes + 2 * own, shifts + 2 * own, i - K0 - K1,
                groups, height, width, out_height, out_width, span, part_step,
                CHANNELS, STEP, X_STEP, K2, STRIDE, D2, RECTIFY, NORMALISE, COLUMNS, GROUPS, BLOCK,
            )  # fmt: skip
    if K3 > 0:
        if i >= K0 + K1 + K2:
            _row_gradient(
                gradient + 3 * FILTERS, x + 3 * own,
                partial + (K0 * K0 + K1 * K1 + K2 * K2) * FILTERS,
                mean + 3 * own, slopes + 3 * own, shifts + 3 * own, i - K0 - K1 - K2,
                groups, height, width, out_height, out_width, span, part_step,
                CHANNELS, STEP, X_STEP, K3, STRIDE, D3, RECTIFY, NORMALISE, COLUMNS, GROUPS, BLOCK,
            )  # fmt: skip


def filter_gradient(
    gradient: Tensor, x: Tensor, partial: Tensor, geometry: Geometry, moments: Moments | None
) -> None:
    """Write parts of the gradient of the weights, whose sum over the first dimension it is.

    Args:
        gradient: gradient of the output without gaps.
        x: input.
        partial: parts, [parts, weights of all convolutions] in float32, which may be a slice of the
            second dimension.
        geometry: form of the convolutions.
        moments: see `convolve`.
    """
    out_height, out_width = gradient.shape[2:]
    block, splits = _block(geometry.channels), len(partial)
    groups, step = len(x) * out_height * triton.cdiv(out_width, COLUMNS), ELEMENTS // block
    span = triton.cdiv(triton.cdiv(groups, splits), step) * step
    mean, _, slopes, shifts = (partial,) * 4 if moments is None else moments
    edges = geometry.filters // geometry.channels
    grid = (triton.cdiv(geometry.channels, block) * edges, sum(geometry.kernels), splits)
    _weight_gradient[grid](
        gradient, x, partial, mean, slopes, shifts,
        groups, *x.shape[2:], out_height, out_width, span, partial.stride(0),
        STEP=gradient.shape[1], STRIDE=geometry.stride, NORMALISE=moments is not None,
        SLICED=geometry.sliced, COLUMNS=COLUMNS, GROUPS=step, BLOCK=block, **geometry.constants(),
    )  # fmt: skip


def parts_of(gradient: Tensor, geometry: Geometry) -> int:
    """Return the number of parts of the sums whose programs occupy the GPU.

    Args:
        gradient: gradient of the output, [B, convolutions * filters, H', W'].
        geometry: form of the convolutions.
    """
    batch, _, height, width = gradient.shape
    channels, block = geometry.channels, _block(geometry.channels)
    edges = geometry.filters // channels
    rows = triton.cdiv(channels, block) * edges * sum(geometry.kernels)
    most = triton.cdiv(batch * height * triton.cdiv(width, COLUMNS), ELEMENTS // block)
    parts: int = max(1, min(triton.cdiv(PROGRAMS, rows), most))
    return parts


def _block(channels: int) -> int:
    """Return the number of channels of a program of the weight gradient."""
    return 16 if channels % 32 else 32
