"""Steps that the kernels of depthwise convolutions share: rows of taps, loads and stores.

A thread computes four neighbouring pixels of a row, so that each loaded value is used for all taps
that see it.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def load(
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
def row_tap(
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
def add_tap(
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
def write(
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
def accumulate(
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
        w0 = row_tap(row_of_taps, c, real, 0, KERNEL, FILTERS, TURNED)
        w1 = row_tap(row_of_taps, c, real, 1, KERNEL, FILTERS, TURNED)
        w2 = row_tap(row_of_taps, c, real, 2, KERNEL, FILTERS, TURNED)
        w3 = row_tap(row_of_taps, c, real, 3, KERNEL, FILTERS, TURNED)
        w4 = row_tap(row_of_taps, c, real, 4, KERNEL, FILTERS, TURNED)
        w5 = row_tap(row_of_taps, c, real, 5, KERNEL, FILTERS, TURNED)
        w6 = row_tap(row_of_taps, c, real, 6, KERNEL, FILTERS, TURNED)
        for m in tl.static_range((COLUMNS - 1) * STRIDE + (KERNEL - 1) * DILATION + 1):
            v = column * STRIDE + m - (KERNEL // 2) * DILATION
            mask = row_exists & (v >= 0) & (v < width)
            value = load(line + v * X_STEP, mask, average, slope, shift, RECTIFY, NORMALISE)
            t0 = add_tap(t0, value, w0, w1, w2, w3, w4, w5, w6, m, DILATION, KERNEL)
            t1 = add_tap(t1, value, w0, w1, w2, w3, w4, w5, w6, m - STRIDE, DILATION, KERNEL)
            t2 = add_tap(t2, value, w0, w1, w2, w3, w4, w5, w6, m - 2 * STRIDE, DILATION, KERNEL)
            t3 = add_tap(t3, value, w0, w1, w2, w3, w4, w5, w6, m - 3 * STRIDE, DILATION, KERNEL)
    return t0, t1, t2, t3
