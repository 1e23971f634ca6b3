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

from ltnas.kernels.gpu.layout import dense, empty, spaced

COLUMNS = 4
"""Neighbouring pixels of a row that a thread computes together; the kernels name each of them."""
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
    x, mask, average, deviation, RECTIFY: tl.constexpr, NORMALISE: tl.constexpr
):  # fmt: skip
    """Load an input, normalised and rectified if that is wanted; 0 outside of the image."""
    value = tl.load(x, mask=mask, other=0.0).to(tl.float32)
    if NORMALISE:
        value = tl.where(mask, (value - average) * deviation, 0.0)
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
    y, total, sign, threshold, to, real, column, width,
    COLUMN: tl.constexpr, STEP: tl.constexpr, SIGN_STEP: tl.constexpr, MASKED: tl.constexpr,
    ADDS: tl.constexpr,
):  # fmt: skip
    """Store one column of the result, or add it; MASKED: 0 where the sign is not large enough."""
    mask = real & (column + COLUMN < width)
    if MASKED:
        value = tl.load(sign + COLUMN * SIGN_STEP, mask=mask, other=0.0).to(tl.float32)
        total = tl.where(value > threshold, total, 0.0)
    if ADDS:
        total += tl.load(y + to + COLUMN * STEP, mask=mask, other=0.0).to(tl.float32)
    tl.store(y + to + COLUMN * STEP, total.to(y.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=SIZES)
def _convolve(
    x, taps, sign, y, mean, inverse,
    groups, height, width, out_height, out_width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, X_STEP: tl.constexpr, Y_STEP: tl.constexpr,
    SIGN_STEP: tl.constexpr, KERNEL: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr,
    RECTIFY: tl.constexpr, NORMALISE: tl.constexpr, BACKWARD: tl.constexpr, ADDS: tl.constexpr,
    COLUMNS: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Convolve x with the filters of one edge, or, backwards, sum over edges with turned filters.

    A thread has the same channels of four columns: each value that it loads is used for all of
    them. Steps are distances of two pixels. With NORMALISE the input of the convolution is
    normalised by `mean` and `inverse` first. `sign` is, backwards, the input whose rectification
    is undone.
    """
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, group = element % CHANNELS, element // CHANNELS
    real = group < groups
    in_row = (out_width + COLUMNS - 1) // COLUMNS
    column, row = (group % in_row) * COLUMNS, (group // in_row) % out_height
    image = group // (in_row * out_height)
    first = 0 if BACKWARD else tl.program_id(1)
    rectify: tl.constexpr = RECTIFY and not BACKWARD
    normalise: tl.constexpr = NORMALISE and not BACKWARD
    average = 0.0
    deviation = 0.0
    if NORMALISE:
        average = tl.load(mean + c, mask=real, other=0.0)
        deviation = tl.load(inverse + c, mask=real, other=0.0)
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
                value = _load(line + v * X_STEP, mask, average, deviation, rectify, normalise)
                t0 = _tap(t0, value, w0, w1, w2, w3, w4, w5, w6, m, DILATION, KERNEL)
                t1 = _tap(t1, value, w0, w1, w2, w3, w4, w5, w6, m - STRIDE, DILATION, KERNEL)
                t2 = _tap(t2, value, w0, w1, w2, w3, w4, w5, w6, m - 2 * STRIDE, DILATION, KERNEL)
                t3 = _tap(t3, value, w0, w1, w2, w3, w4, w5, w6, m - 3 * STRIDE, DILATION, KERNEL)
    pixel = (image * out_height + row) * out_width + column
    to, sign = pixel * Y_STEP + first * CHANNELS + c, sign + pixel * SIGN_STEP + c
    masked: tl.constexpr = BACKWARD and RECTIFY
    _write(y, t0, sign, average, to, real, column, out_width, 0, Y_STEP, SIGN_STEP, masked, ADDS)
    _write(y, t1, sign, average, to, real, column, out_width, 1, Y_STEP, SIGN_STEP, masked, ADDS)
    _write(y, t2, sign, average, to, real, column, out_width, 2, Y_STEP, SIGN_STEP, masked, ADDS)
    _write(y, t3, sign, average, to, real, column, out_width, 3, Y_STEP, SIGN_STEP, masked, ADDS)


@triton.jit(do_not_specialize=SIZES)
def _strided_input_gradient(
    gradient, taps, sign, dx,
    pixels, height, width, out_height, out_width, edges,
    CHANNELS: tl.constexpr, FILTERS: tl.constexpr, STEP: tl.constexpr, SIGN_STEP: tl.constexpr,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, DILATION: tl.constexpr, RECTIFY: tl.constexpr,
    ADDS: tl.constexpr, ELEMENTS: tl.constexpr,
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
            at = ((image * out_height + h) * out_width + v) * STEP + c
            value = tl.load(gradient + at + edge * CHANNELS, mask=used, other=0.0)
            factor = tl.load(taps + tap * FILTERS + edge * CHANNELS + c, mask=used, other=0.0)
            total += value.to(tl.float32) * factor
    if RECTIFY:
        value = tl.load(sign + pixel * SIGN_STEP + c, mask=real, other=0.0)
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


@triton.jit(do_not_specialize=SIZES)
def _weight_gradient(
    gradient, x, partial, mean, inverse,
    groups, height, width, out_height, out_width, span, part_step,
    CHANNELS: tl.constexpr, STEP: tl.constexpr, X_STEP: tl.constexpr, KERNEL: tl.constexpr,
    STRIDE: tl.constexpr, DILATION: tl.constexpr, RECTIFY: tl.constexpr, NORMALISE: tl.constexpr,
    COLUMNS: tl.constexpr, GROUPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradient of one row of the kernel from a part of the pixels; sums are kept per thread.

    Steps are distances of two pixels, `part_step` that of two parts in `partial`.
    """
    blocks: tl.constexpr = (CHANNELS + BLOCK - 1) // BLOCK
    edge = tl.program_id(0) // blocks
    c = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)[None, :]
    i, split = tl.program_id(1), tl.program_id(2)  # row of the kernel, part of the pixels
    channel_exists = c < CHANNELS
    in_row = (out_width + COLUMNS - 1) // COLUMNS
    average = 0.0
    deviation = 0.0
    if NORMALISE:
        average = tl.load(mean + c, mask=channel_exists, other=0.0)
        deviation = tl.load(inverse + c, mask=channel_exists, other=0.0)
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
            value = _load(line + v * X_STEP, mask, average, deviation, RECTIFY, NORMALISE)
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
    """A depthwise convolution of an input whose pixels are `x_step` elements apart."""

    kernel: int
    stride: int
    dilation: int
    rectify: bool
    x_step: int


Moments = tuple[Tensor, Tensor]
"""Mean and inverse deviation of each channel of an input that is to be normalised, [C] each."""


def convolve(
    x: Tensor, taps: Tensor, y: Tensor, *, geometry: Geometry, filters: int, moments: Moments | None
) -> None:
    """Write the convolution of all edges to y.

    Args:
        x: input, [B, C, H, W].
        taps: weights of the edges' filters, [k * k, filters].
        y: output, [B, filters, H / stride, W / stride], which may be a slice of channels.
        geometry: form of the convolution.
        filters: number of filters, a multiple of the number of input channels.
        moments: the input is normalised by these first; None: it is not.
    """
    batch, channels, height, width = x.shape
    out_height, out_width = y.shape[2:]
    groups = batch * out_height * triton.cdiv(out_width, COLUMNS)
    mean, inverse = moments or (taps, taps)
    _convolve[triton.cdiv(groups * channels, ELEMENTS), filters // channels](
        x, taps, x, y, mean, inverse,
        groups, height, width, out_height, out_width, 1,
        CHANNELS=channels, FILTERS=filters, X_STEP=geometry.x_step, Y_STEP=y.stride(3),
        SIGN_STEP=geometry.x_step, KERNEL=geometry.kernel, STRIDE=geometry.stride,
        DILATION=geometry.dilation, RECTIFY=geometry.rectify, NORMALISE=moments is not None,
        BACKWARD=False, ADDS=False, COLUMNS=COLUMNS, ELEMENTS=ELEMENTS,
    )  # fmt: skip


def input_gradient(
    gradient: Tensor,
    x: Tensor,
    taps: Tensor,
    dx: Tensor,
    *,
    geometry: Geometry,
    filters: int,
    moments: Moments | None,
    adds: bool,
) -> None:
    """Write the gradient of the input, or add it; with moments that of the normalised input.

    Args:
        gradient: gradient of the output, which may be a slice of channels.
        x: input.
        taps: see `convolve`.
        dx: gradient of the input, [B, C, H, W], without gaps if the stride is not 1.
        geometry: form of the convolution.
        filters: number of filters.
        moments: see `convolve`.
        adds: True to add the gradient to `dx`.
    """
    batch, channels, height, width = x.shape
    kernel, stride, dilation, rectify, x_step = geometry
    step, edges = gradient.stride(3), filters // channels
    if stride == 1:
        groups = batch * height * triton.cdiv(width, COLUMNS)
        mean, inverse = moments or (taps, taps)
        _convolve[triton.cdiv(groups * channels, ELEMENTS), 1](
            gradient, taps, x, dx, mean, inverse,
            groups, height, width, height, width, edges,
            CHANNELS=channels, FILTERS=filters, X_STEP=step, Y_STEP=dx.stride(3), SIGN_STEP=x_step,
            KERNEL=kernel, STRIDE=1, DILATION=dilation, RECTIFY=rectify,
            NORMALISE=moments is not None, BACKWARD=True, ADDS=adds,
            COLUMNS=COLUMNS, ELEMENTS=ELEMENTS,
        )  # fmt: skip
        return
    assert moments is None
    pixels = batch * height * width
    _strided_input_gradient[(triton.cdiv(pixels * channels, ELEMENTS),)](
        gradient, taps, x, dx,
        pixels, height, width, *gradient.shape[2:], edges,
        CHANNELS=channels, FILTERS=filters, STEP=step, SIGN_STEP=x_step, KERNEL=kernel,
        STRIDE=stride, DILATION=dilation, RECTIFY=rectify, ADDS=adds, ELEMENTS=ELEMENTS,
    )  # fmt: skip


def weight_gradient(
    gradient: Tensor,
    x: Tensor,
    partial: Tensor,
    *,
    geometry: Geometry,
    filters: int,
    moments: Moments | None,
) -> None:
    """Write parts of the gradient of the weights, whose sum over the first dimension it is.

    Args:
        gradient: gradient of the output, which may be a slice of channels.
        x: input.
        partial: parts, [parts, filters * k * k] in float32, which may be a slice of the second
            dimension.
        geometry: form of the convolution.
        filters: number of filters.
        moments: see `convolve`.
    """
    batch, channels = x.shape[:2]
    out_height, out_width = gradient.shape[2:]
    groups, block = batch * out_height * triton.cdiv(out_width, COLUMNS), _block(channels)
    step, splits = ELEMENTS // block, len(partial)
    span = triton.cdiv(triton.cdiv(groups, splits), step) * step
    mean, inverse = moments or (partial, partial)
    _weight_gradient[triton.cdiv(channels, block) * filters // channels, geometry.kernel, splits](
        gradient, x, partial, mean, inverse,
        groups, *x.shape[2:], out_height, out_width, span, partial.stride(0),
        CHANNELS=channels, STEP=gradient.stride(3), X_STEP=geometry.x_step,
        KERNEL=geometry.kernel, STRIDE=geometry.stride, DILATION=geometry.dilation,
        RECTIFY=geometry.rectify, NORMALISE=moments is not None,
        COLUMNS=COLUMNS, GROUPS=step, BLOCK=block,
    )  # fmt: skip


def _block(channels: int) -> int:
    """Return the number of channels of a program of the weight gradient."""
    return 16 if channels % 32 else 32


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
        batch, _, height, width = x.shape
        filters, kernel = len(weight), weight.shape[-1]
        if kernel > LARGEST or kernel % 2 == 0:
            raise ValueError(f"kernels of {kernel} x {kernel} are not supported")
        y = empty(batch, filters, -(-height // stride), -(-width // stride), like=x)
        # [k * k, filters], so that the weights of neighbouring channels lie side by side.
        taps = weight.view(filters, kernel * kernel).t().contiguous()
        ctx.geometry = Geometry(kernel, stride, dilation, rectify, x_step)
        convolve(x, taps, y, geometry=ctx.geometry, filters=filters, moments=None)
        ctx.save_for_backward(x, taps)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (x, taps), geometry = ctx.saved_tensors, ctx.geometry
        gradient, channels = dense(gradients[0]), x.shape[1]
        batch, filters, height, width = gradient.shape
        needs_x, needs_weight, *_ = ctx.needs_input_grad
        dx = dw = None
        own: dict[str, Any] = {"geometry": geometry, "filters": filters, "moments": None}
        if needs_x:
            dx = empty(batch, *x.shape[1:], like=x)
            input_gradient(gradient, x, taps, dx, adds=False, **own)
        if needs_weight:
            kernel, block = geometry.kernel, _block(channels)
            rows = triton.cdiv(channels, block) * (filters // channels) * kernel
            most = triton.cdiv(batch * height * triton.cdiv(width, COLUMNS), ELEMENTS // block)
            splits = max(1, min(triton.cdiv(PROGRAMS, rows), most))
            size = filters * kernel**2
            partial = torch.empty(splits, size, dtype=torch.float32, device=x.device)
            weight_gradient(gradient, x, partial, **own)
            dw = partial.sum(0).view(filters, 1, kernel, kernel)
        return dx, dw, None, None, None
