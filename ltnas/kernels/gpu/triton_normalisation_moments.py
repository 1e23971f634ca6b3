"""Moments of normalisations in training on a GPU: two launches, or one after a matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

from ltnas.kernels.gpu.layout import power_of_two

ELEMENTS = 8192
"""Elements of a program of the passes over pixels and channels."""
SIZES = ["pixels", "part_pixels", "parts"]
"""Arguments for whose values Triton shall compile no variants."""
PARTS = 256
"""Largest number of parts whose sums one program puts together."""


# Numbers of channels are constants of the kernels, so that Triton knows how loads are aligned.
@triton.jit(do_not_specialize=SIZES)
def _block_moments(
    x, mean, squares, pixels, channels: tl.constexpr, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """Mean, and sum of squared deviations from it, of the pixels of a part."""
    c = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    mask = (p < pixels)[:, None] & (c < channels)[None, :]
    value = tl.load(x + p[:, None] * channels + c[None, :], mask=mask, other=0.0).to(tl.float32)
    count = tl.minimum(pixels - tl.program_id(0) * PIXELS, PIXELS).to(tl.float32)
    average = tl.sum(value, axis=0) / count
    deviation = tl.where(mask, value - average[None, :], 0.0)
    to = tl.program_id(0) * channels + c
    tl.store(mean + to, average, mask=c < channels)
    tl.store(squares + to, tl.sum(deviation * deviation, axis=0), mask=c < channels)


@triton.jit
def _learned(scales, shifts, slope, shift, deviation, c, channels, first):
    """Write slope and shift of the channels of a layer with learned scale and shift."""
    exists = (c >= first) & (c < first + channels)
    scale = tl.load(scales + c - first, mask=exists, other=0.0).to(tl.float32)
    tl.store(slope + c, deviation * scale, mask=exists)
    value = tl.load(shifts + c - first, mask=exists, other=0.0).to(tl.float32)
    tl.store(shift + c, value, mask=exists)


@triton.jit
def _move(running_mean, running_var, batches, mean, variance, c, channels, momentum):
    """Move the running statistics of a layer by those of its channels, and count the batch."""
    exists = (c >= 0) & (c < channels)
    old = tl.load(running_mean + c, mask=exists, other=0.0)
    tl.store(running_mean + c, old + momentum * (mean - old), mask=exists)
    old = tl.load(running_var + c, mask=exists, other=0.0)
    tl.store(running_var + c, old + momentum * (variance - old), mask=exists)
    if tl.program_id(0) == 0:
        tl.store(batches, tl.load(batches) + 1)


@triton.jit(do_not_specialize=SIZES)
def _join_moments(
    part_mean, part_squares, mean, inverse, slope, shift,
    scale0, scale1, scale2, scale3, shift0, shift1, shift2, shift3,
    mean0, mean1, mean2, mean3, var0, var1, var2, var3, batches0, batches1, batches2, batches3,
    pixels, part_pixels, channels, own, parts, eps, momentum,
    LAYERS: tl.constexpr, AFFINE: tl.constexpr, MOVES: tl.constexpr,
    PARTS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Join the moments of the parts (Chan et al. 1983), move the running statistics, and count.

    The channels are those of up to four layers side by side, `own` channels each.
    """
    c = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    exists = c < channels
    total = tl.zeros([CHANNELS], dtype=tl.float32)
    for start in range(0, parts, PARTS):
        part = start + tl.arange(0, PARTS)
        count = tl.maximum(tl.minimum(pixels - part * part_pixels, part_pixels), 0).to(tl.float32)
        mask = (part < parts)[:, None] & exists[None, :]
        at = part[:, None] * channels + c[None, :]
        value = tl.load(part_mean + at, mask=mask, other=0.0)
        total += tl.sum(value * count[:, None], axis=0)
    average = total / pixels
    squares = tl.zeros([CHANNELS], dtype=tl.float32)
    for start in range(0, parts, PARTS):
        part = start + tl.arange(0, PARTS)
        count = tl.maximum(tl.minimum(pixels - part * part_pixels, part_pixels), 0).to(tl.float32)
        mask = (part < parts)[:, None] & exists[None, :]
        at = part[:, None] * channels + c[None, :]
        value = tl.load(part_mean + at, mask=mask, other=0.0) - average[None, :]
        inner = tl.load(part_squares + at, mask=mask, other=0.0)
        squares += tl.sum(inner + value * value * count[:, None], axis=0)
    variance = squares / pixels
    tl.store(mean + c, average, mask=exists)
    deviation = 1.0 / tl.sqrt(variance + eps)
    tl.store(inverse + c, deviation, mask=exists)
    if AFFINE:
        _learned(scale0, shift0, slope, shift, deviation, c, own, 0)
        if LAYERS > 1:
            _learned(scale1, shift1, slope, shift, deviation, c, own, own)
        if LAYERS > 2:
            _learned(scale2, shift2, slope, shift, deviation, c, own, 2 * own)
        if LAYERS > 3:
            _learned(scale3, shift3, slope, shift, deviation, c, own, 3 * own)
    else:
        tl.store(slope + c, deviation, mask=exists)
        tl.store(shift + c, 0.0, mask=exists)
    if MOVES:
        unbiased = squares / (pixels - 1)
        _move(mean0, var0, batches0, average, unbiased, c, own, momentum)
        if LAYERS > 1:
            _move(mean1, var1, batches1, average, unbiased, c - own, own, momentum)
        if LAYERS > 2:
            _move(mean2, var2, batches2, average, unbiased, c - 2 * own, own, momentum)
        if LAYERS > 3:
            _move(mean3, var3, batches3, average, unbiased, c - 3 * own, own, momentum)


def tiles(pixels: int, channels: int) -> tuple[int, int, tuple[int, int]]:
    """Return the pixels and channels of a program, and the number of programs along each."""
    block = min(64, power_of_two(channels))
    step = ELEMENTS // block
    return step, block, (triton.cdiv(pixels, step), triton.cdiv(channels, block))


def join_moments(
    layers: Sequence[nn.BatchNorm2d],
    parts: Tensor,
    moments: Tensor,
    *,
    pixels: int,
    part_pixels: int,
    learns: bool = False,
) -> None:
    """Write the moments of a batch, and move the running statistics of its layers in training.

    With `learns`, slope and shift are those of the layers; without, as if these had none.

    Args:
        layers: up to four layers with as many channels each, side by side.
        parts: mean, and sum of squared deviations from it, of each part, [2, parts, channels].
        moments: mean, inverse deviation, slope and shift, [4, channels].
        pixels: number of pixels.
        part_pixels: number of pixels of a part; the last one may have fewer.
        learns: True to take learned scales and shifts of the layers.
    """
    channels, first = moments.shape[1], layers[0]
    moves = first.training and first.track_running_stats
    if moves and pixels == 1:
        raise ValueError("the variance of a single pixel cannot be measured: use larger batches")
    padded = [*layers, *[first] * (4 - len(layers))]
    _join_moments[(triton.cdiv(channels, 8),)](
        parts[0], parts[1], *moments,
        *(layer.weight for layer in padded), *(layer.bias for layer in padded),
        *(layer.running_mean for layer in padded), *(layer.running_var for layer in padded),
        *(layer.num_batches_tracked for layer in padded),
        pixels, part_pixels, channels, channels // len(layers), parts.shape[1],
        first.eps, first.momentum,
        LAYERS=len(layers), AFFINE=learns, MOVES=moves,
        PARTS=min(PARTS, power_of_two(parts.shape[1])), CHANNELS=8,
    )  # fmt: skip


def measure(layers: Sequence[nn.BatchNorm2d], x: Tensor) -> Tensor:
    """Return mean, inverse deviation, slope and shift of each channel; see `join_moments`.

    Args:
        layers: up to four layers with as many channels each, side by side.
        x: input without gaps, [B, C, H, W].
    """
    channels, pixels = x.shape[1], x.numel() // x.shape[1]
    step, block, grid = tiles(pixels, channels)
    parts = torch.empty(2, grid[0], channels, dtype=torch.float32, device=x.device)
    _block_moments[grid](x, parts[0], parts[1], pixels, channels, PIXELS=step, CHANNELS=block)
    moments = torch.empty(4, channels, dtype=torch.float32, device=x.device)
    join_moments(layers, parts, moments, pixels=pixels, part_pixels=step)
    return moments
