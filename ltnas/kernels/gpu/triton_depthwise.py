"""Depthwise convolutions of one state by the filters of several edges, on a GPU.

Every edge that leaves a state convolves the same rectified channels with filters of its own: the
output channel e * C + c is computed from the input channel c. Nothing is copied for the edges.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.layout import dense, empty, spaced

COLUMNS = 4
"""Neighbouring pixels of a row that a thread computes together; the kernels name each of them."""
MOST = 4
"""Most convolutions of one launch; the kernels name each of them."""
LARGEST = 7
"""Largest kernel."""
ELEMENTS = 1024
"""Elements of a program: channels of groups of COLUMNS pixels."""
SIZES = ["groups", "pixels", "height", "width", "out_height", "out_width", "edges"]
SIZES += ["span", "part_step"]
"""Arguments for whose values Triton shall compile no variants."""
PROGRAMS = 1056
"""Number of programs of the weight gradient, 8 for each multiprocessor of an H100."""


@triton.jit
def _load(
    x, mask, average, slope, shift, RECTIFY: tl.constexpr, NORMALISE: tl.constexpr
):  # fmt: skip
    """Load an input, normalised and rectified if that is wanted; 0 outside of the image."""
    value = tl.load(x, mask=mask, other=0.0).to(tl.float32)
    if NORMALISE:
        value = tl.where(mask, (value - average) * slope + shift, 0.0)
    if RECTIFY:
        value = tl.maximum(value, 0.0, propagate_nan=tl.PropagateNan.ALL)
    return value


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
    y, total, sign, average, slope, shift, to, real, column, width,
    COLUMN: tl.constexpr, STEP: tl.constexpr, SIGN_STEP: tl.constexpr, MASKED: tl.constexpr,
    ADDS: tl.constexpr,
):  # fmt: skip
    """Store one column of the result; MASKED: 0 where the normalised sign is not positive."""
    mask = real & (column + COLUMN < width)
    if MASKED:
        value = tl.load(sign + COLUMN * SIGN_STEP, mask=mask, other=0.0).to(tl.float32)
        total = tl.where((value - average) * slope + shift > 0, total, 0.0)
    if ADDS:
        total += tl.load(y + to + COLUMN * STEP, mask=mask, other=0.0).to(tl.float32)
    tl.store(y + to + COLUMN * STEP, total.to(y.dtype.element_ty), mask=mask)


@triton.jit
def _accumulate(
    t0, t1, t2, t3, source, filters, c, real, image, row, column, average, slope, shift,
    height, width,
    FILTERS: tl.constexpr, X_STEP: tl.constexpr, KERNEL: tl.constexpr, STRIDE: tl.constexpr,
    DILATION: tl.constexpr, RECTIFY: tl.constexpr, NORMALISE: tl.constexpr, TURNED: tl.constexpr,
    COLUMNS: tl.constexpr,
):  # fmt: skip
    """Add a convolution to the sums of four columns; each loaded value is used for all of them."""
    for i in range(KERNEL):
        h = row * STRIDE + (i - KERNEL // 2) * DILATION
        row_exists = real & (h >= 0) & (h < height)
        line = source + (image * height + h) * width * X_STEP
        # Backwards, the kernel is turned by half a turn.
        row_of_taps = filters + (KERNEL - 1 - i if TURNED else i) * KERNEL * FILTERS
        w0 = _filter(row_of_taps, c, real, 0, KERNEL, FILTERS, TURNED)
        w1 = _filter(row_of_taps, c, real, 1, KERNEL, FILTERS, TURNED)
        w2 = _filter(row_of_taps, c, real, 2, KERNEL, FILTERS, TURNED)
        w3 = _filter(row_of_taps, c, real, 3, KERNEL, FILTERS, TURNED)
        w4 = _filter(row_of_taps, c, real, 4, KERNEL, FILTERS, TURNED)
        w5 = _filter(row_of_taps, c, real, 5, KERNEL, FILTERS, TURNED)
        w6 = _filter(row_of_taps, c, real, 6, KERNEL, FILTERS, TURNED)
        for m in tl.static_range((COLUMNS - 1) * STRIDE + (KERNEL - 1) * DILATION + 1):
            v = column * STRIDE + m - (KERNEL // 2) * DILATION
            mask = row_exists & (v >= 0) & (v < width)
            value = _load(line + v * X_STEP, mask, average, slope, shift, RECTIFY, NORMALISE)
            t0 = _tap(t0, value, w0, w1, w2, w3, w4, w5, w6, m, DILATION, KERNEL)
            t1 = _tap(t1, value, w0, w1, w2, w3, w4, w5, w6, m - STRIDE, DILATION, KERNEL)
            t2 = _tap(t2, value, w0, w1, w2, w3, w4, w5, w6, m - 2 * STRIDE, DILATION, KERNEL)
            t3 = _tap(t3, value, w0, w1, w2, w3, w4, w5, w6, m - 3 * STRIDE, DILATION, KERNEL)
    return t0, t1, t2, t3


@triton.jit
def _accumulate_edges(
    t0, t1, t2, t3, x, taps, c, real, image, row, column, height, width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, X_STEP: tl.constexpr, KERNEL: tl.constexpr,
    DILATION: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Add the gradients of the input through the filters of all edges of a convolution."""
    if KERNEL > 0:
        for edge in range(edges):
            t0, t1, t2, t3 = _accumulate(
                t0, t1, t2, t3, x + c + edge * CHANNELS, taps + edge * CHANNELS, c,
                real, image, row, column, 0.0, 1.0, 0.0, height, width,
                FILTERS=FILTERS, X_STEP=X_STEP, KERNEL=KERNEL, STRIDE=1, DILATION=DILATION,
                RECTIFY=False, NORMALISE=False, TURNED=True, COLUMNS=COLUMNS,
            )  # fmt: skip
    return t0, t1, t2, t3


# Up to four convolutions, which read the same input or, SLICED, one after another of its slices of
# channels, have a kernel K and a dilation D each; K is 0 for those that do not exist. Their weights
# and outputs lie side by side. Steps are distances of two pixels.
@triton.jit(do_not_specialize=SIZES)
def _convolve(
    x, taps, y, mean, slopes, shifts, groups, height, width, out_height, out_width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, X_STEP: tl.constexpr, Y_STEP: tl.constexpr,
    STRIDE: tl.constexpr, K0: tl.constexpr, D0: tl.constexpr, K1: tl.constexpr, D1: tl.constexpr,
    K2: tl.constexpr, D2: tl.constexpr, K3: tl.constexpr, D3: tl.constexpr,
    RECTIFY: tl.constexpr, NORMALISE: tl.constexpr, SLICED: tl.constexpr,
    COLUMNS: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Convolve x with the filters of an edge; NORMALISE: normalise it first."""
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, group = element % CHANNELS, element // CHANNELS
    real = group < groups
    in_row = (out_width + COLUMNS - 1) // COLUMNS
    column, row = (group % in_row) * COLUMNS, (group // in_row) % out_height
    image = group // (in_row * out_height)
    number, edge = tl.program_id(1) // edges, tl.program_id(1) % edges
    source = x + c + number * CHANNELS if SLICED else x + c
    average, slope, shift = 0.0, 1.0, 0.0
    if NORMALISE:
        at = c + number * CHANNELS if SLICED else c
        average = tl.load(mean + at, mask=real, other=0.0)
        slope = tl.load(slopes + at, mask=real, other=0.0)
        shift = tl.load(shifts + at, mask=real, other=0.0)
    t0 = tl.zeros([ELEMENTS], dtype=tl.float32)
    t1, t2, t3 = t0, t0, t0
    filters = taps + edge * CHANNELS
    if number == 0:
        t0, t1, t2, t3 = _accumulate(
            t0, t1, t2, t3, source, filters, c, real, image, row, column, average, slope, shift,
            height, width, FILTERS, X_STEP, K0, STRIDE, D0, RECTIFY, NORMALISE, False, COLUMNS,
        )  # fmt: skip
    if K1 > 0:
        if number == 1:
            t0, t1, t2, t3 = _accumulate(
                t0, t1, t2, t3, source, filters + K0 * K0 * FILTERS, c, real, image, row, column,
                average, slope, shift, height, width,
                FILTERS, X_STEP, K1, STRIDE, D1, RECTIFY, NORMALISE, False, COLUMNS,
            )  # fmt: skip
    if K2 > 0:
        if number == 2:
            t0, t1, t2, t3 = _accumulate(
                t0, t1, t2, t3, source, filters + (K0 * K0 + K1 * K1) * FILTERS, c, real, image,
                row, column, average, slope, shift, height, width,
                FILTERS, X_STEP, K2, STRIDE, D2, RECTIFY, NORMALISE, False, COLUMNS,
            )  # fmt: skip
    if K3 > 0:
        if number == 3:
            t0, t1, t2, t3 = _accumulate(
                t0, t1, t2, t3, source, filters + (K0 * K0 + K1 * K1 + K2 * K2) * FILTERS, c, real,
                image, row, column, average, slope, shift, height, width,
                FILTERS, X_STEP, K3, STRIDE, D3, RECTIFY, NORMALISE, False, COLUMNS,
            )  # fmt: skip
    pixel = (image * out_height + row) * out_width + column
    to = pixel * Y_STEP + number * FILTERS + edge * CHANNELS + c
    _write(
        y, t0, x, 0.0, 1.0, 0.0, to, real, column, out_width, 0, Y_STEP, 0, False, False
    )  # fmt: skip
    _write(
        y, t1, x, 0.0, 1.0, 0.0, to, real, column, out_width, 1, Y_STEP, 0, False, False
    )  # fmt: skip
    _write(
        y, t2, x, 0.0, 1.0, 0.0, to, real, column, out_width, 2, Y_STEP, 0, False, False
    )  # fmt: skip
    _write(
        y, t3, x, 0.0, 1.0, 0.0, to, real, column, out_width, 3, Y_STEP, 0, False, False
    )  # fmt: skip


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
    _write(
        dx, t0, sign, average, slope, shift, to, real, column, width,
        0, DX_STEP, X_STEP, RECTIFY, ADDS,
    )  # fmt: skip
    _write(
        dx, t1, sign, average, slope, shift, to, real, column, width,
        1, DX_STEP, X_STEP, RECTIFY, ADDS,
    )  # fmt: skip
    _write(
        dx, t2, sign, average, slope, shift, to, real, column, width,
        2, DX_STEP, X_STEP, RECTIFY, ADDS,
    )  # fmt: skip
    _write(
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
            value = _load(line + v * X_STEP, mask, average, slope, shift, RECTIFY, NORMALISE)
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


class Geometry(NamedTuple):
    """Up to four depthwise convolutions of an input with the same edges and the same stride."""

    kernels: tuple[int, ...]
    """Side of the kernels of each convolution."""
    dilations: tuple[int, ...]
    """Distance between the taps of each convolution."""
    stride: int
    rectify: bool
    """True to convolve max(x, 0)."""
    filters: int
    """Number of filters of each convolution, a multiple of its input channels."""
    channels: int
    """Number of input channels of each convolution."""
    sliced: bool
    """True if each convolution has an input of its own, a slice of channels."""
    x_step: int
    """Distance of two pixels of the input in elements."""

    def constants(self) -> dict[str, int]:
        """Return the constants of the kernels."""
        absent = (0,) * (MOST - len(self.kernels))
        pairs = zip((*self.kernels, *absent), (*self.dilations, *absent), strict=True)
        found = {"CHANNELS": self.channels, "FILTERS": self.filters, "X_STEP": self.x_step}
        for number, (kernel, dilation) in enumerate(pairs):
            found |= {f"K{number}": kernel, f"D{number}": max(dilation, 1)}
        return found | {"RECTIFY": self.rectify}


Moments = Tensor
"""Normalisation of each channel of an input: mean, inverse deviation, slope and shift, [4, C]."""


def convolve(
    x: Tensor, taps: Tensor, y: Tensor, geometry: Geometry, moments: Moments | None
) -> None:
    """Write the convolutions to y.

    Args:
        x: input, [B, C, H, W]; of sliced convolutions [B, at least convolutions * C, H, W].
        taps: weights, [k * k, filters] of one convolution after another, flat.
        y: output without gaps, [B, convolutions * filters, H / stride, W / stride].
        geometry: form of the convolutions.
        moments: the input is normalised by these first; None: it is not.
    """
    batch, _, height, width = x.shape
    out_height, out_width = y.shape[2:]
    groups = batch * out_height * triton.cdiv(out_width, COLUMNS)
    mean, _, slopes, shifts = (taps,) * 4 if moments is None else moments
    edges = geometry.filters // geometry.channels
    grid = (triton.cdiv(groups * geometry.channels, ELEMENTS), len(geometry.kernels) * edges)
    _convolve[grid](
        x, taps, y, mean, slopes, shifts, groups, height, width, out_height, out_width, edges,
        Y_STEP=y.shape[1], STRIDE=geometry.stride, NORMALISE=moments is not None,
        SLICED=geometry.sliced, COLUMNS=COLUMNS, ELEMENTS=ELEMENTS, **geometry.constants(),
    )  # fmt: skip


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


def _block(channels: int) -> int:
    """Return the number of channels of a program of the weight gradient."""
    return 16 if channels % 32 else 32


def check_kernel(kernel: int) -> None:
    """Raise ValueError if a kernel has a side that is not supported."""
    if kernel > LARGEST or kernel % 2 == 0:
        raise ValueError(f"kernels of {kernel} x {kernel} are not supported")


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
        check_kernel(kernel)
        y = empty(batch, filters, -(-height // stride), -(-width // stride), like=x)
        # [k * k, filters], so that the weights of neighbouring channels lie side by side.
        taps = weight.view(filters, kernel * kernel).t().contiguous()
        ctx.geometry = Geometry(
            kernels=(kernel,),
            dilations=(dilation,),
            stride=stride,
            rectify=rectify,
            filters=filters,
            channels=channels,
            sliced=False,
            x_step=x_step,
        )
        convolve(x, taps, y, ctx.geometry, None)
        ctx.save_for_backward(x, taps)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (x, taps), geometry = ctx.saved_tensors, ctx.geometry
        gradient, channels = dense(gradients[0]), geometry.channels
        batch, filters, height, width = gradient.shape
        needs_x, needs_weight, *_ = ctx.needs_input_grad
        dx = dw = None
        if needs_x:
            dx = empty(batch, *x.shape[1:], like=x)
            input_gradient(gradient, x, taps, dx, geometry, None)
        if needs_weight:
            (kernel,), block = geometry.kernels, _block(channels)
            rows = triton.cdiv(channels, block) * (filters // channels) * kernel
            most = triton.cdiv(batch * height * triton.cdiv(width, COLUMNS), ELEMENTS // block)
            splits = max(1, min(triton.cdiv(PROGRAMS, rows), most))
            size = filters * kernel**2
            partial = torch.empty(splits, size, dtype=torch.float32, device=x.device)
            filter_gradient(gradient, x, partial, geometry, None)
            dw = partial.sum(0).view(filters, 1, kernel, kernel)
        return dx, dw, None, None, None
