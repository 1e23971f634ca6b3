"""Depthwise convolutions of one or several inputs, on a GPU."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from ltnas.kernels.gpu.depthwise_geometry import COLUMNS, ELEMENTS, Geometry, Moments
from ltnas.kernels.gpu.triton_depthwise_taps import accumulate, write

SIZES = ["groups", "height", "width", "out_height", "out_width", "edges"]
"""Arguments for whose values Triton shall compile no variants."""


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
        t0, t1, t2, t3 = accumulate(
            t0, t1, t2, t3, source, filters, c, real, image, row, column, average, slope, shift,
            height, width, FILTERS, X_STEP, K0, STRIDE, D0, RECTIFY, NORMALISE, False, COLUMNS,
        )  # fmt: skip
    if K1 > 0:
        if number == 1:
            t0, t1, t2, t3 = accumulate(
                t0, t1, t2, t3, source, filters + K0 * K0 * FILTERS, c, real, image, row, column,
                average, slope, shift, height, width,
                FILTERS, X_STEP, K1, STRIDE, D1, RECTIFY, NORMALISE, False, COLUMNS,
            )  # fmt: skip
    if K2 > 0:
        if number == 2:
            t0, t1, t2, t3 = accumulate(
                t0, t1, t2, t3, source, filters + (K0 * K0 + K1 * K1) * FILTERS, c, real, image,
                row, column, average, slope, shift, height, width,
                FILTERS, X_STEP, K2, STRIDE, D2, RECTIFY, NORMALISE, False, COLUMNS,
            )  # fmt: skip
    if K3 > 0:
        if number == 3:
            t0, t1, t2, t3 = accumulate(
                t0, t1, t2, t3, source, filters + (K0 * K0 + K1 * K1 + K2 * K2) * FILTERS, c, real,
                image, row, column, average, slope, shift, height, width,
                FILTERS, X_STEP, K3, STRIDE, D3, RECTIFY, NORMALISE, False, COLUMNS,
            )  # fmt: skip
    pixel = (image * out_height + row) * out_width + column
    to = pixel * Y_STEP + number * FILTERS + edge * CHANNELS + c
    write(
        y, t0, x, 0.0, 1.0, 0.0, to, real, column, out_width, 0, Y_STEP, 0, False, False
    )  # fmt: skip
    write(
        y, t1, x, 0.0, 1.0, 0.0, to, real, column, out_width, 1, Y_STEP, 0, False, False
    )  # fmt: skip
    write(
        y, t2, x, 0.0, 1.0, 0.0, to, real, column, out_width, 2, Y_STEP, 0, False, False
    )  # fmt: skip
    write(
        y, t3, x, 0.0, 1.0, 0.0, to, real, column, out_width, 3, Y_STEP, 0, False, False
    )  # fmt: skip


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
