"""Pointwise convolution in groups on a GPU: one matrix product for each edge, in one launch."""

from __future__ import annotations

import os
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.layout import dense, empty, power_of_two

LEAST = 16
"""Smallest side of a matrix that the matrix units multiply."""
LARGEST = 64
"""Largest side of a tile of the weights."""
STEP = 64
"""Pixels of one product of the weight gradient."""
SIZES = ["pixels", "span", "part_step"]
"""Arguments for whose values Triton shall compile no variants."""
PROGRAMS = 528
"""Number of programs of the weight gradient, 4 for each multiprocessor of an H100."""
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""True if there is no GPU: Triton's interpreter multiplies bfloat16 matrices wrongly."""


# Numbers of channels are constants of the kernels, so that Triton knows how loads are aligned.
@triton.jit(do_not_specialize=SIZES)
def _product(
    x, weight, y, part_mean, part_squares, pixels,
    IN: tl.constexpr, OUT: tl.constexpr, GROUPS: tl.constexpr,
    IN_STEP: tl.constexpr, OUT_STEP: tl.constexpr,
    PIXELS: tl.constexpr, IN_BLOCK: tl.constexpr, OUT_BLOCK: tl.constexpr, WIDE: tl.constexpr,
    MOMENTS: tl.constexpr,
):  # fmt: skip
    """Product of each group; MOMENTS: mean and squared deviations of each channel of its pixels."""
    # Programs of the same pixels run at the same time: their groups share lines of memory.
    tiles: tl.constexpr = (OUT + OUT_BLOCK - 1) // OUT_BLOCK
    tile = tl.program_id(0) % (GROUPS * tiles)
    group = tile // tiles
    part = tl.program_id(0) // (GROUPS * tiles)
    p = part * PIXELS + tl.arange(0, PIXELS)
    n = tile % tiles * OUT_BLOCK + tl.arange(0, OUT_BLOCK)
    real, kept = p < pixels, n < OUT
    total = tl.zeros([PIXELS, OUT_BLOCK], dtype=tl.float32)
    for first in tl.static_range(0, IN, IN_BLOCK):
        k = first + tl.arange(0, IN_BLOCK)
        at = p[:, None] * (GROUPS * IN) + group * IN + k[None, :]
        value = tl.load(x + at, mask=real[:, None] & (k < IN)[None, :], other=0.0)
        at = group * IN * OUT + k[:, None] * IN_STEP + n[None, :] * OUT_STEP
        matrix = tl.load(weight + at, mask=(k < IN)[:, None] & kept[None, :], other=0.0)
        matrix = matrix.to(x.dtype.element_ty)
        if WIDE:
            value, matrix = value.to(tl.float32), matrix.to(tl.float32)
        total += tl.dot(value, matrix, input_precision="ieee")
    to = p[:, None] * (GROUPS * OUT) + group * OUT + n[None, :]
    value = total.to(y.dtype.element_ty)
    tl.store(y + to, value, mask=real[:, None] & kept[None, :])
    if MOMENTS:
        # Pixels that do not exist are 0 here.
        value = value.to(tl.float32)
        count = tl.minimum(pixels - part * PIXELS, PIXELS).to(tl.float32)
        average = tl.sum(value, axis=0) / count
        deviation = tl.where(real[:, None], value - average[None, :], 0.0)
        at = part * (GROUPS * OUT) + group * OUT + n
        tl.store(part_mean + at, average, mask=kept)
        tl.store(part_squares + at, tl.sum(deviation * deviation, axis=0), mask=kept)


@triton.jit(do_not_specialize=SIZES)
def _weight_gradient(
    gradient, x, partial, pixels, span, part_step,
    IN: tl.constexpr, OUT: tl.constexpr, GROUPS: tl.constexpr,
    PIXELS: tl.constexpr, IN_BLOCK: tl.constexpr, OUT_BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    blocks: tl.constexpr = (IN + IN_BLOCK - 1) // IN_BLOCK
    group, split = tl.program_id(0), tl.program_id(1)
    n = (tl.program_id(2) // blocks) * OUT_BLOCK + tl.arange(0, OUT_BLOCK)
    k = (tl.program_id(2) % blocks) * IN_BLOCK + tl.arange(0, IN_BLOCK)
    total = tl.zeros([OUT_BLOCK, IN_BLOCK], dtype=tl.float32)
    for start in range(split * span, split * span + span, PIXELS):
        p = start + tl.arange(0, PIXELS)
        real = p < pixels
        at = p[None, :] * (GROUPS * OUT) + group * OUT + n[:, None]
        grad = tl.load(gradient + at, mask=real[None, :] & (n < OUT)[:, None], other=0.0)
        at = p[:, None] * (GROUPS * IN) + group * IN + k[None, :]
        value = tl.load(x + at, mask=real[:, None] & (k < IN)[None, :], other=0.0)
        if WIDE:
            grad, value = grad.to(tl.float32), value.to(tl.float32)
        total += tl.dot(grad, value, input_precision="ieee")
    to = split * part_step + (group * OUT + n[:, None]) * IN + k[None, :]
    tl.store(partial + to, total, mask=(n < OUT)[:, None] & (k < IN)[None, :])


def pointwise(x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Return the 1x1 convolution in groups, [B, groups * O, H, W].

    Args:
        x: input, [B, groups * C, H, W].
        weight: weights, [groups * O, C, 1, 1].
        groups: number of groups.
    """
    y: Tensor = _Pointwise.apply(x, weight, groups)
    return y


class _Pointwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, groups: int) -> Tensor:  # noqa: ANN401
        x, weight = dense(x), weight.contiguous()
        ctx.save_for_backward(x, weight)
        ctx.groups = groups
        return multiply(x, weight, groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (x, weight), groups = ctx.saved_tensors, ctx.groups
        gradient = dense(gradients[0].to(x.dtype))
        inputs, outputs = weight.shape[1], len(weight) // groups
        needs_x, needs_weight, _ = ctx.needs_input_grad
        dx = dw = None
        if needs_x:
            dx = multiply(gradient, weight, groups, transposed=True)
        if needs_weight:
            tiles = triton.cdiv(outputs, _block(outputs)) * triton.cdiv(inputs, _block(inputs))
            pixels = x.shape[0] * x.shape[2] * x.shape[3]
            splits = min(triton.cdiv(PROGRAMS, groups * tiles), triton.cdiv(pixels, STEP))
            partial = torch.empty(splits, weight.numel(), dtype=torch.float32, device=x.device)
            matrix_gradient(gradient, x, partial, groups)
            dw = partial.sum(0).view_as(weight).to(weight.dtype)
        return dx, dw, None


def part_pixels(inputs: int) -> int:
    """Return the number of pixels of a program that multiplies a group of input channels."""
    return 128 if inputs > LARGEST // 2 else 256


def multiply(
    x: Tensor,
    weight: Tensor,
    groups: int,
    *,
    transposed: bool = False,
    parts: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return x W^T of each group, or x W if transposed, in channels-last memory.

    Args:
        x: input without gaps, [B, groups * inputs of this product, H, W].
        weight: weights W, [groups * O, C, 1, 1], in the order of the memory.
        groups: number of groups.
        transposed: True for the gradient of the input.
        parts: mean, and sum of squared deviations from it, of `part_pixels(inputs)` pixels each,
            are written to these, [parts, groups * outputs] each; None: they are not computed.
    """
    outputs, inputs = len(weight) // groups, weight.shape[1]
    # Steps through the memory of W from one input of the product to the next, and output to output.
    in_step, out_step = (inputs, 1) if transposed else (1, inputs)
    inputs, outputs = (outputs, inputs) if transposed else (inputs, outputs)
    batch, _, height, width = x.shape
    y = empty(batch, groups * outputs, height, width, like=x)
    pixels, block, step = batch * height * width, _block(outputs), part_pixels(inputs)
    part_mean, part_squares = parts or (y, y)
    _product[(triton.cdiv(pixels, step) * groups * triton.cdiv(outputs, block),)](
        x, weight, y, part_mean, part_squares, pixels,
        IN=inputs, OUT=outputs, GROUPS=groups, IN_STEP=in_step, OUT_STEP=out_step,
        PIXELS=step, IN_BLOCK=_block(inputs), OUT_BLOCK=block, WIDE=INTERPRETED,
        MOMENTS=parts is not None,
    )  # fmt: skip
    return y


def matrix_gradient(gradient: Tensor, x: Tensor, partial: Tensor, groups: int) -> None:
    """Write parts of the gradient of the weights, whose sum over the first dimension it is.

    Args:
        gradient: gradient of the output without gaps, [B, groups * O, H, W].
        x: input without gaps, [B, groups * C, H, W].
        partial: parts, [parts, groups * O * C] in float32, which may be a slice of the second
            dimension.
        groups: number of groups.
    """
    inputs, outputs = x.shape[1] // groups, gradient.shape[1] // groups
    pixels, splits = x.shape[0] * x.shape[2] * x.shape[3], len(partial)
    tiles = triton.cdiv(outputs, _block(outputs)) * triton.cdiv(inputs, _block(inputs))
    span = triton.cdiv(triton.cdiv(pixels, splits), STEP) * STEP
    _weight_gradient[groups, splits, tiles](
        gradient, x, partial, pixels, span, partial.stride(0),
        IN=inputs, OUT=outputs, GROUPS=groups,
        PIXELS=STEP, IN_BLOCK=_block(inputs), OUT_BLOCK=_block(outputs), WIDE=INTERPRETED,
    )  # fmt: skip


def _block(channels: int) -> int:
    """Return the number of channels of a tile."""
    return min(LARGEST, power_of_two(channels, LEAST))
