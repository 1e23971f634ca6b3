"""Gradient of the input of depthwise convolutions, on a GPU."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from ltnas.kernels.gpu.depthwise_geometry import COLUMNS, ELEMENTS, Geometry, Moments
from ltnas.kernels.gpu.triton_depthwise_taps import accumulate, write

SIZES = ["groups", "pixels", "height", "width", "out_height", "out_width", "edges"]
"""Arguments for whose values Triton shall compile no variants."""


@triton.jit
def _accumulate_edges(
    t0, t1, t2, t3, x, taps, c, real, image, row, column, height, width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, X_STEP: tl.constexpr, KERNEL: tl.constexpr,
    DILATION: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Add the gradients of the input through the filters of all edges of a convolution."""
    if KERNEL > 0:
        for edge in range(edges):
            t0, t1, t2, t3 = accumulate(
                t0, t1, t2, t3, x + c + edge * CHANNELS, taps + edge * CHANNELS, c,
                real, image, row, column, 0.0, 1.0, 0.0, height, width,
                FILTERS=FILTERS, X_STEP=X_STEP, KERNEL=KERNEL, STRIDE=1, DILATION=DILATION,
                RECTIFY=False, NORMALISE=False, TURNED=True, COLUMNS=COLUMNS,
            )  # fmt: skip
    return t0, t1, t2, t3


@triton.jit(do_not_specialize=SIZES)
def _input_gradient(
    gradient, taps, x, dx, mean, slopes, shifts, groups, height, width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, STEP: tl.constexpr, X_STEP: tl.constexpr,
    DX_STEP: tl.constexpr, K0: tl.constexpr, D0: tl.constexpr, K1: tl.constexpr, D1: tl.constexpr,
    K2: tl.constexpr, D2: tl.constexpr, K3: tl.constexpr, D3: tl.constexpr,
    RECTIFY: tl.constexpr, NORMALISE: tl.constexpr, SLICED: tl.constexpr, ADDS: tl.constexpr,
    COLUMNS: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Gradient of the input at stride 1, or, SLICED, of the slice of each convolution.

    With NORMALISE that of the normalised input, whose sign counts then.
    """
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, group = element % CHANNELS, element // CHANNELS
    real = group < groups
    in_row = (width + COLUMNS - 1) // COLUMNS
    column, row = (group % in_row) * COLUMNS, (group // in_row) % height
    image = group // (in_row * height)
    number = tl.program_id(1)
    t0 = tl.zeros([ELEMENTS], dtype=tl.float32)
    t1, t2, t3 = t0, t0, t0
    # SLICED: without the edges of the other convolutions.
    count = tl.where(number == 0, edges, 0) if SLICED else edges
    t0, t1, t2, t3 = _accumulate_edges(
        t0, t1, t2, t3, gradient, taps, c, real, image, row, column, height, width, count,
        CHANNELS, FILTERS, STEP, K0, D0, COLUMNS,
    )  # fmt: skip
    count = tl.where(number == 1, edges, 0) if SLICED else edges
    t0, t1, t2, t3 = _accumulate_edges(
        t0, t1, t2, t3, gradient + FILTERS, taps + K0 * K0 * FILTERS, c, real, image, row, column,
        height, width, count, CHANNELS, FILTERS, STEP, K1, D1, COLUMNS,
    )  # fmt: skip
    count = tl.where(number == 2, edges, 0) if SLICED else edges
    t0, t1, t2, t3 = _accumulate_edges(
        t0, t1, t2, t3, gradient + 2 * FILTERS, taps + (K0 * K0 + K1 * K1) * FILTERS, c, real,
        image, row, column, height, width, count, CHANNELS, FILTERS, STEP, K2, D2, COLUMNS,
    )  # fmt: skip
    count = tl.where(number == 3, edges, 0) if SLICED else edges
    t0, t1, t2, t3 = _accumulate_edges(
        t0, t1, t2, t3, gradient + 3 * FILTERS, taps + (K0 * K0 + K1 * K1 + K2 * K2) * FILTERS, c,
        real, image, row, column, height, width, count,
        CHANNELS, FILTERS, STEP, K3, D3, COLUMNS,
    )  # fmt: skip
    at = c + number * CHANNELS if SLICED else c
    average, slope, shift = 0.0, 1.0, 0.0
    if NORMALISE:
        average = tl.load(mean + at, mask=real, other=0.0)
        slope = tl.load(slopes + at, mask=real, other=0.0)
        shift = tl.load(shifts + at, mask=real, other=0.0)
    pixel = (image * height + row) * width + column
    to, sign = pixel * DX_STEP + at, x + pixel * X_STEP + at
    write(
        dx, t0, sign, average, slope, shift, to, real, column, width,
        0, DX_STEP, X_STEP, RECTIFY, ADDS,
    )  # fmt: skip
    write(
        dx, t1, sign, average, slope, shift, to, real, column, width,
        1, DX_STEP, X_STEP, RECTIFY, ADDS,
    )  # fmt: skip
    write(
        dx, t2, sign, average, slope, shift, to, real, column, width,
        2, DX_STEP, X_STEP, RECTIFY, ADDS,
    )  # fmt: skip
    write(
        dx, t3, sign, average, slope, shift, to, real, column, width,
        3, DX_STEP, X_STEP, RECTIFY, ADDS,
    )  # fmt: skip


@triton.jit
def _strided(
    total, gradient, taps, c, real, image, row, column, out_height, out_width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, STEP: tl.constexpr, KERNEL: tl.constexpr,
    STRIDE: tl.constexpr, DILATION: tl.constexpr,
):  # fmt: skip
    """Add the gradient of the input of one convolution."""
    for edge in range(edges):
        for tap in range(KERNEL * KERNEL):
            above = row - (tap // KERNEL - KERNEL // 2) * DILATION
            left = column - (tap % KERNEL - KERNEL // 2) * DILATION
            h, v = above // STRIDE, left // STRIDE
            used = real & (above >= 0) & (h < out_height) & (left >= 0) & (v < out_width)
            used = used & (above % STRIDE == 0) & (left % STRIDE == 0)
            at = ((image * out_height + h) * out_width + v) * STEP + c
            value = tl.load(gradient + at + edge * CHANNELS, mask=used, other=0.0)
            factor = tl.load(taps + tap * FILTERS + edge * CHANNELS + c, mask=used, other=0.0)
            total += value.to(tl.float32) * factor
    return total


@triton.jit(do_not_specialize=SIZES)
def _strided_input_gradient(
    gradient, taps, x, dx, pixels, height, width, out_height, out_width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, STEP: tl.constexpr, X_STEP: tl.constexpr,
    STRIDE: tl.constexpr, K0: tl.constexpr, D0: tl.constexpr, K1: tl.constexpr, D1: tl.constexpr,
    K2: tl.constexpr, D2: tl.constexpr, K3: tl.constexpr, D3: tl.constexpr,
    RECTIFY: tl.constexpr, ADDS: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Gradient of the input of convolutions with a stride."""
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, pixel = element % CHANNELS, element // CHANNELS
    real = pixel < pixels
    column, row, image = pixel % width, (pixel // width) % height, pixel // (width * height)
    total = tl.zeros([ELEMENTS], dtype=tl.float32)
    total = _strided(
        total, gradient, taps, c, real, image, row, column, out_height, out_width, edges,
        CHANNELS, FILTERS, STEP, K0, STRIDE, D0,
    )  # fmt: skip
    if K1 > 0:
        total = _strided(
            total, gradient + FILTERS, taps + K0 * K0 * FILTERS, c, real, image, row, column,
            out_height, out_width, edges, CHANNELS, FILTERS, STEP, K1, STRIDE, D1,
        )  # fmt: skip
    if K2 > 0:
        total = _strided(
            total, gradient + 2 * FILTERS, taps + (K0 * K0 + K1 * K1) * FILTERS, c, real, image,
            row, column, out_height, out_width, edges, CHANNELS, FILTERS, STEP, K2, STRIDE, D2,
        )  # fmt: skip
    if K3 > 0:
        total = _strided(
            total, gradient + 3 * FILTERS, taps + (K0 * K0 + K1 * K1 + K2 * K2) * FILTERS, c, real,
            image, row, column, out_height, out_width, edges,
            CHANNELS, FILTERS, STEP, K3, STRIDE, D3,
        )  # fmt: skip
    if RECTIFY:
        value = tl.load(x + pixel * X_STEP + c, mask=real, other=0.0)
        total = tl.where(value > 0, total, 0.0)
    if ADDS:
        total += tl.load(dx + element, mask=real, other=0.0).to(tl.float32)
    tl.store(dx + element, total.to(dx.dtype.element_ty), mask=real)


def input_gradient(
    gradient: Tensor,
    x: Tensor,
    taps: Tensor,
    dx: Tensor,
    geometry: Geometry,
    moments: Moments | None,
    *,
    adds: bool = False,
) -> None:
    """Write the gradient of the input, or add it; with moments that of the normalised input.

    Args:
        gradient: gradient of the output without gaps, [B, convolutions * filters, H', W'].
        x: input.
        taps: see `convolve`.
        dx: gradient of the input without gaps, [B, C, H, W], of sliced convolutions
            [B, convolutions * C, H, W].
        geometry: form of the convolutions.
        moments: see `convolve`.
        adds: True to add to `dx`.
    """
    batch, _, height, width = x.shape
    channels, edges = geometry.channels, geometry.filters // geometry.channels
    if geometry.stride == 1:
        groups = batch * height * triton.cdiv(width, COLUMNS)
        grid = (
            triton.cdiv(groups * channels, ELEMENTS),
            len(geometry.kernels) if geometry.sliced else 1,
        )
        mean, _, slopes, shifts = (taps,) * 4 if moments is None else moments
        _input_gradient[grid](
            gradient, taps, x, dx, mean, slopes, shifts,
            groups, height, width, edges,
            STEP=gradient.shape[1], DX_STEP=dx.shape[1], NORMALISE=moments is not None,
            SLICED=geometry.sliced, ADDS=adds, COLUMNS=COLUMNS, ELEMENTS=ELEMENTS,
            **geometry.constants(),
        )  # fmt: skip
        return
    assert moments is None
    assert not geometry.sliced
    pixels = batch * height * width
    _strided_input_gradient[(triton.cdiv(pixels * channels, ELEMENTS),)](
        gradient, taps, x, dx, pixels, height, width, *gradient.shape[2:], edges,
        STEP=gradient.shape[1], STRIDE=geometry.stride, ADDS=adds, ELEMENTS=ELEMENTS,
        **geometry.constants(),
    )  # fmt: skip
