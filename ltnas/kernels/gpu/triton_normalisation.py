"""Batch normalisation in training on a GPU: three launches forward and three backward."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.layout import dense, empty
from ltnas.kernels.gpu.triton_normalisation_moments import measure, tiles

SIZES = ["pixels", "part_step", "area", "images"]
"""Arguments for whose values Triton shall compile no variants."""


@triton.jit
def _factor(
    factor, p, c, pixels, area, images, channels: tl.constexpr, own: tl.constexpr
):  # fmt: skip
    """Factors [layers, images] of pixels and channels, of which each layer has `own`."""
    found = tl.zeros([p.shape[0], c.shape[0]], dtype=tl.float32)
    for layer in tl.static_range(channels // own):
        at = factor + layer * images + p // area
        value = tl.load(at, mask=p < pixels, other=0.0).to(tl.float32)
        found = tl.where((c // own == layer)[None, :], value[:, None], found)
    return found


@triton.jit(do_not_specialize=SIZES)
def _apply(
    x, y, mean, inverse, scale, shift, factor, onto, pixels, area, images,
    channels: tl.constexpr, own: tl.constexpr,
    SCALED: tl.constexpr, SHIFTED: tl.constexpr, FACTORED: tl.constexpr, ADDS: tl.constexpr,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    exists = c < channels
    mask = (p < pixels)[:, None] & exists[None, :]
    at = p[:, None] * channels + c[None, :]
    average = tl.load(mean + c, mask=exists, other=0.0)
    slope = tl.load(inverse + c, mask=exists, other=0.0)
    if SCALED:
        slope *= tl.load(scale + c, mask=exists, other=0.0).to(tl.float32)
    value = tl.load(x + at, mask=mask, other=0.0).to(tl.float32)
    result = (value - average[None, :]) * slope[None, :]
    if SHIFTED:
        result += tl.load(shift + c, mask=exists, other=0.0).to(tl.float32)[None, :]
    if FACTORED:
        result *= _factor(factor, p, c, pixels, area, images, channels, own)
    if ADDS:
        result += tl.load(onto + at, mask=mask, other=0.0).to(tl.float32)
    tl.store(y + at, result.to(y.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=SIZES)
def _gradient_sums(
    gradient, x, mean, inverse, factor, sums, products, pixels, area, images, part_step,
    channels: tl.constexpr, own: tl.constexpr, x_step: tl.constexpr,
    FACTORED: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Sums over the pixels of a part of the gradient, and of its product with the normalised x."""
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    exists = c < channels
    mask = (p < pixels)[:, None] & exists[None, :]
    at = p[:, None] * channels + c[None, :]
    average = tl.load(mean + c, mask=exists, other=0.0)
    deviation = tl.load(inverse + c, mask=exists, other=0.0)
    grad = tl.load(gradient + at, mask=mask, other=0.0).to(tl.float32)
    if FACTORED:
        grad *= _factor(factor, p, c, pixels, area, images, channels, own)
    at = p[:, None] * x_step + c[None, :]
    value = tl.load(x + at, mask=mask, other=0.0).to(tl.float32)
    normalised = (value - average[None, :]) * deviation[None, :]
    to = tl.program_id(0) * part_step + c
    tl.store(sums + to, tl.sum(grad, axis=0), mask=exists)
    tl.store(products + to, tl.sum(grad * normalised, axis=0), mask=exists)


@triton.jit(do_not_specialize=SIZES)
def _input_gradient(
    gradient, x, mean, inverse, slopes, scale, factor, sums, products, dx,
    pixels, area, images, channels: tl.constexpr, own: tl.constexpr, x_step: tl.constexpr,
    SCALED: tl.constexpr, FACTORED: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    exists = c < channels
    mask = (p < pixels)[:, None] & exists[None, :]
    at = p[:, None] * channels + c[None, :]
    average = tl.load(mean + c, mask=exists, other=0.0)
    deviation = tl.load(inverse + c, mask=exists, other=0.0)
    slope = tl.load(slopes + c, mask=exists, other=0.0)
    if SCALED:
        slope *= tl.load(scale + c, mask=exists, other=0.0).to(tl.float32)
    total = tl.load(sums + c, mask=exists, other=0.0) / pixels
    product = tl.load(products + c, mask=exists, other=0.0) / pixels
    grad = tl.load(gradient + at, mask=mask, other=0.0).to(tl.float32)
    if FACTORED:
        grad *= _factor(factor, p, c, pixels, area, images, channels, own)
    at = p[:, None] * x_step + c[None, :]
    value = tl.load(x + at, mask=mask, other=0.0).to(tl.float32)
    normalised = (value - average[None, :]) * deviation[None, :]
    result = (grad - total[None, :] - normalised * product[None, :]) * slope[None, :]
    tl.store(dx + at, result.to(dx.dtype.element_ty), mask=mask)


def normalise(
    layer: nn.BatchNorm2d,
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    *,
    onto: Tensor | None,
) -> Tensor:
    """Return onto + scale * normalised + shift, [B, C, H, W].

    The input is normalised by the statistics of the batch. The running statistics of a layer in
    training are moved.

    Args:
        layer: layer, whose own parameters are ignored.
        x: input, [B, C, H, W].
        scale: factor of each channel, [C]; None: 1.
        shift: addend of each channel, [C]; None: 0.
        onto: addend, [B, C, H, W]; None: 0.
    """
    y: Tensor = _Normalise.apply(layer, x, scale, shift, onto)
    return y


def apply_moments(x: Tensor, moments: Tensor, factor: Tensor | None) -> Tensor:
    """Return x normalised, with learned slope and shift, and multiplied by a factor.

    Args:
        x: input without gaps, [B, C, H, W].
        moments: see `join_moments`, [4, C].
        factor: factors of each layer and image, [layers, B]; None: 1.
    """
    batch, channels, height, width = x.shape
    pixels = batch * height * width
    step, block, grid = tiles(pixels, channels)
    y = torch.empty_like(x)
    mean, _, slope, shift = moments
    _apply[grid](
        x, y, mean, slope, None, shift, factor, None, pixels, height * width, batch,
        channels=channels, own=_own(channels, factor),
        SCALED=False, SHIFTED=True, FACTORED=factor is not None, ADDS=False,
        PIXELS=step, CHANNELS=block,
    )  # fmt: skip
    return y


def write_normalised_gradient(
    gradient: Tensor,
    x: Tensor,
    moments: Tensor,
    dx: Tensor,
    factor: Tensor | None = None,
    *,
    scale: Tensor | None = None,
) -> Tensor:
    """Write the gradient of the input of a normalisation, and return those of shift and scale.

    Args:
        gradient: gradient of the normalised channels without gaps, [B, c, H, W].
        x: input without gaps, [B, C, H, W] with C >= c, of which the first c channels were used.
        moments: see `join_moments`, [4, C].
        dx: gradient of the input, [B, C, H, W], of which the first c channels are written.
        factor: see `apply_moments`.
        scale: factor of each channel, by which the slopes are still to be multiplied, [c]; None: 1.

    Returns:
        Sums over the pixels of the gradient, and of its product with the normalised x, [2 * c].
    """
    batch, channels, height, width = gradient.shape
    pixels, x_step = batch * height * width, x.shape[1]
    step, block, grid = tiles(pixels, channels)
    parts = torch.empty(grid[0], 2 * channels, dtype=torch.float32, device=x.device)
    mean, inverse, slope, _ = moments
    own = _own(channels, factor)
    _gradient_sums[grid](
        gradient, x, mean, inverse, factor, parts, parts[:, channels:],
        pixels, height * width, batch, 2 * channels, channels=channels, own=own, x_step=x_step,
        FACTORED=factor is not None, PIXELS=step, CHANNELS=block,
    )  # fmt: skip
    sums = parts.sum(0)
    _input_gradient[grid](
        gradient, x, mean, inverse, slope, scale, factor, sums, sums[channels:], dx,
        pixels, height * width, batch, channels=channels, own=own, x_step=x_step,
        SCALED=scale is not None, FACTORED=factor is not None, PIXELS=step, CHANNELS=block,
    )  # fmt: skip
    return sums


def _own(channels: int, factor: Tensor | None) -> int:
    """Return the number of channels of a layer that has a factor of its own."""
    return channels if factor is None else channels // len(factor)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        layer: nn.BatchNorm2d,
        x: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
        onto: Tensor | None,
    ) -> Tensor:
        x, onto = dense(x), None if onto is None else dense(onto)
        batch, channels, height, width = x.shape
        pixels = batch * height * width
        step, block, grid = tiles(pixels, channels)
        moments = measure([layer], x)
        y = empty(batch, channels, height, width, like=x)
        _apply[grid](
            x, y, moments[0], moments[1], scale, shift, None, onto,
            pixels, height * width, batch, channels=channels, own=channels,
            SCALED=scale is not None, SHIFTED=shift is not None, FACTORED=False,
            ADDS=onto is not None, PIXELS=step, CHANNELS=block,
        )  # fmt: skip
        ctx.save_for_backward(x, moments, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, moments, scale = ctx.saved_tensors
        dx = empty(*x.shape, like=x)
        sums = write_normalised_gradient(dense(gradients[0]), x, moments, dx, scale=scale)
        grad_shift, grad_scale = sums.chunk(2)
        found = (None, dx, grad_scale, grad_shift, gradients[0])
        return tuple(
            one if needed else None for one, needed in zip(found, ctx.needs_input_grad, strict=True)
        )
