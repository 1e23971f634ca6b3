"""3x3 maximum and mean of a state on a GPU: both pools in one launch, and one for the gradient."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.layout import dense, empty, spaced

ELEMENTS = 1024
"""Elements of a program."""
SIZES = ["pixels", "height", "width", "out_height", "out_width"]
"""Arguments for whose values Triton shall compile no variants."""


@triton.jit
def _covered(position, STRIDE: tl.constexpr, size):
    """Number of pixels of a side that the window around an output covers."""
    centre = position * STRIDE
    return tl.minimum(centre + 1, size - 1) - tl.maximum(centre - 1, 0) + 1


@triton.jit(do_not_specialize=SIZES)
def _forward(
    x, maximum, mean, taps, pixels, height, width, out_height, out_width,
    CHANNELS: tl.constexpr, X_STEP: tl.constexpr, Y_STEP: tl.constexpr, STRIDE: tl.constexpr,
    MAX: tl.constexpr, MEAN: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Pools, and the tap from 0 to 8 that has the maximum: the first one if several have it."""
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, pixel = element % CHANNELS, element // CHANNELS
    real = pixel < pixels
    column, row = pixel % out_width, (pixel // out_width) % out_height
    image = pixel // (out_width * out_height)
    best = tl.full([ELEMENTS], float("-inf"), dtype=tl.float32)
    place = tl.full([ELEMENTS], -1, dtype=tl.int32)
    total = tl.zeros([ELEMENTS], dtype=tl.float32)
    for tap in tl.static_range(9):
        h, v = row * STRIDE + tap // 3 - 1, column * STRIDE + tap % 3 - 1
        inside = real & (h >= 0) & (h < height) & (v >= 0) & (v < width)
        at = ((image * height + h) * width + v) * X_STEP + c
        value = tl.load(x + at, mask=inside, other=0.0).to(tl.float32)
        total += value
        if MAX:
            larger = inside & ((value > best) | (value != value) | (place < 0))
            best, place = tl.where(larger, value, best), tl.where(larger, tap, place)
    to = pixel * Y_STEP + c
    if MAX:
        tl.store(maximum + to, best.to(maximum.dtype.element_ty), mask=real)
        tl.store(taps + element, place.to(tl.uint8), mask=real)
    if MEAN:
        count = _covered(row, STRIDE, height) * _covered(column, STRIDE, width)
        tl.store(mean + to, (total / count).to(mean.dtype.element_ty), mask=real)


@triton.jit(do_not_specialize=SIZES)
def _input_gradient(
    grad_maximum, grad_mean, taps, dx, pixels, height, width, out_height, out_width,
    CHANNELS: tl.constexpr, STEP: tl.constexpr, STRIDE: tl.constexpr,
    MAX: tl.constexpr, MEAN: tl.constexpr, ADDS: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Gradient of the input; ADDS: it is added to what is there."""
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, pixel = element % CHANNELS, element // CHANNELS
    real = pixel < pixels
    column, row, image = pixel % width, (pixel // width) % height, pixel // (width * height)
    total = tl.zeros([ELEMENTS], dtype=tl.float32)
    for tap in tl.static_range(9):
        # The output that sees this pixel through the tap.
        above, left = row - tap // 3 + 1, column - tap % 3 + 1
        h, v = above // STRIDE, left // STRIDE
        used = real & (above >= 0) & (h < out_height) & (left >= 0) & (v < out_width)
        if STRIDE > 1:
            used = used & (above % STRIDE == 0) & (left % STRIDE == 0)
        output = (image * out_height + h) * out_width + v
        at = output * STEP + c
        if MAX:
            chosen = tl.load(taps + output * CHANNELS + c, mask=used, other=9).to(tl.int32) == tap
            value = tl.load(grad_maximum + at, mask=used, other=0.0).to(tl.float32)
            total += tl.where(chosen, value, 0.0)
        if MEAN:
            count = _covered(h, STRIDE, height) * _covered(v, STRIDE, width)
            total += tl.load(grad_mean + at, mask=used, other=0.0).to(tl.float32) / count
    if ADDS:
        total += tl.load(dx + element, mask=real, other=0.0).to(tl.float32)
    tl.store(dx + element, total.to(dx.dtype.element_ty), mask=real)


def pools(x: Tensor, stride: int, *, maximum: bool, mean: bool) -> tuple[Tensor, Tensor]:
    """Return the 3x3 maximum and mean with a border of one pixel, each [B, C, H / s, W / s].

    The border counts for neither. A pool that is not wanted is empty.

    Args:
        x: input, [B, C, H, W].
        stride: stride s, 1 or 2.
        maximum: True if the maximum is wanted.
        mean: True if the mean is wanted.
    """
    found: tuple[Tensor, Tensor] = _Pools.apply(x, stride, maximum, mean)
    return found


def write_pools(
    x: Tensor,
    maximum: Tensor | None,
    mean: Tensor | None,
    taps: Tensor,
    *,
    x_step: int,
    y_step: int,
    stride: int,
) -> None:
    """Write the pools of x; see `pools`.

    Args:
        x: input, [B, C, H, W], whose pixels are `x_step` elements apart.
        maximum: output, [B, C, H / s, W / s], which may be a slice of channels; None: not wanted.
        mean: output like `maximum`, and a slice of as many channels; None: not wanted.
        taps: tap that has each maximum, without gaps, [B, C, H / s, W / s].
        x_step: distance of two pixels of x in elements.
        y_step: distance of two pixels of the outputs.
        stride: stride.
    """
    batch, channels, height, width = x.shape
    out_height, out_width = taps.shape[2:]
    pixels = batch * out_height * out_width
    _forward[(triton.cdiv(pixels * channels, ELEMENTS),)](
        x, maximum, mean, taps, pixels, height, width, out_height, out_width,
        CHANNELS=channels, X_STEP=x_step, Y_STEP=y_step, STRIDE=stride,
        MAX=maximum is not None, MEAN=mean is not None, ELEMENTS=ELEMENTS,
    )  # fmt: skip


def write_gradient(
    grad_maximum: Tensor | None,
    grad_mean: Tensor | None,
    taps: Tensor,
    dx: Tensor,
    *,
    step: int,
    stride: int,
    adds: bool,
) -> None:
    """Write the gradient of the pools' input without gaps, or add it.

    Args:
        grad_maximum: gradient of the maximum, which may be a slice of channels, or None.
        grad_mean: gradient of the mean, which may be a slice of as many channels, or None.
        taps: tap that has each maximum.
        dx: gradient of the input, [B, C, H, W].
        step: distance of two pixels of the outputs' gradients.
        stride: stride.
        adds: True to add to `dx`.
    """
    batch, channels, height, width = dx.shape
    pixels = batch * height * width
    _input_gradient[(triton.cdiv(pixels * channels, ELEMENTS),)](
        grad_maximum, grad_mean, taps, dx, pixels, height, width, *taps.shape[2:],
        CHANNELS=channels, STEP=step, STRIDE=stride,
        MAX=grad_maximum is not None, MEAN=grad_mean is not None, ADDS=adds, ELEMENTS=ELEMENTS,
    )  # fmt: skip


class _Pools(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        stride: int,
        wants_maximum: bool,
        wants_mean: bool,
    ) -> tuple[Tensor, Tensor]:
        x, x_step = spaced(x)
        batch, channels, height, width = x.shape
        shape = (channels, -(-height // stride), -(-width // stride))
        maximum = empty(batch if wants_maximum else 0, *shape, like=x)
        mean = empty(batch if wants_mean else 0, *shape, like=x)
        taps = torch.empty_like(maximum if wants_maximum else mean, dtype=torch.uint8)
        ctx.wanted = wants_maximum, wants_mean
        wanted = (maximum if wants_maximum else None, mean if wants_mean else None)
        write_pools(x, *wanted, taps, x_step=x_step, y_step=channels, stride=stride)
        ctx.save_for_backward(taps)
        ctx.shape, ctx.stride = x.shape, stride
        return maximum, mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (taps,) = ctx.saved_tensors
        wanted = [
            dense(gradient) if wants else None
            for gradient, wants in zip(gradients, ctx.wanted, strict=True)
        ]
        dx = empty(*ctx.shape, like=gradients[0])
        channels, stride = ctx.shape[1], ctx.stride
        write_gradient(wanted[0], wanted[1], taps, dx, step=channels, stride=stride, adds=False)
        return dx, None, None, None
