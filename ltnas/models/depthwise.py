"""Depthwise convolution whose backward pass is fast on the CPU, and correct in bf16.

PyTorch's weight gradient of 5x5, dilated and strided depthwise kernels is 10 to 20 times slower on
the CPU than that of 3x3 ones, and wrong in bf16 for dilated ones (torch 2.15, images of 31 pixels
and more). Three identities reduce the other cases to 3x3 kernels:

- With stride 2 and dilation 2 all taps fall on even pixels, so the convolution is a plain one of
  those.
- With dilation 2 it is a plain convolution of each of the four images of even and odd rows and
  columns.
- The gradient of a 5x5 kernel consists of those of four shifted 3x3 kernels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LAST = torch.channels_last


def depthwise(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    """Return the depthwise convolution with "same" padding, [B, C, H / stride, W / stride].

    Args:
        x: input, [B, C, H, W].
        weight: weights, [C, 1, k, k].
        stride: stride, 1 or 2.
        dilation: distance between the taps, 1 or 2.
    """
    # First identity of the module's docstring; a stride-1 convolution has the fast gradient.
    if stride == 2 and dilation == 2:
        x, stride, dilation = x[:, :, ::2, ::2].contiguous(memory_format=LAST), 1, 1
    if has_fast_gradient(x):
        return _convolve(x, weight, stride, dilation)
    if torch.is_autocast_enabled("cpu"):  # the backward pass runs outside of autocast
        x, weight = x.to(torch.bfloat16), weight.to(torch.bfloat16)
    y: Tensor = _Depthwise.apply(x, weight, stride, dilation)
    return y


def has_fast_gradient(x: Tensor) -> bool:
    """Return True where PyTorch's own gradient is fast and correct: on GPUs, in compiled code."""
    return x.device.type != "cpu" or torch.compiler.is_compiling()


def _convolve(x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:
    padding = weight.shape[-1] // 2 * dilation
    return F.conv2d(
        x, weight, stride=stride, padding=padding, dilation=dilation, groups=len(weight)
    )


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, dilation: int) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.dilation = stride, dilation
        return _convolve(x, weight, stride, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight = ctx.saved_tensors
        # Autograd may pass on a gradient in another layout; convolutions are faster channels-last.
        grad = gradients[0].contiguous(memory_format=LAST)
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = input_gradient(x, weight, grad, stride=ctx.stride, dilation=ctx.dilation)
        if ctx.needs_input_grad[1]:
            grad_weight = weight_gradient(x, weight, grad, stride=ctx.stride, dilation=ctx.dilation)
        return grad_x, grad_weight, None, None


def input_gradient(
    x: Tensor, weight: Tensor, grad: Tensor, *, stride: int, dilation: int
) -> Tensor:
    """Return the gradient of the input, a convolution of the output's gradient.

    Its kernel is flipped; at stride 2 the gradient is spread out with zeros between its pixels.
    """
    if stride == 2:
        # [B, C, H, W]: the gradient at even pixels, and zeros at pixels that no output starts from.
        spread = torch.zeros_like(x)
        spread[:, :, ::2, ::2] = grad
        grad = spread
    return _convolve(grad, weight.flip(2, 3), 1, dilation)


def weight_gradient(
    x: Tensor, weight: Tensor, grad: Tensor, *, stride: int, dilation: int
) -> Tensor:
    """Return the gradient of the weights, by 3x3 kernels without dilation wherever possible."""
    # Odd sizes do not split into four images of one size.
    if dilation == 2 and x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0 and stride == 1:
        x, grad, dilation = _split_parities(x), _split_parities(grad), 1
    kernel = weight.shape[-1]
    if stride == 1 and dilation == 1:
        return _gradient_3x3(x, grad, 1) if kernel == 3 else _gradient_5x5(x, grad)
    # PyTorch's own gradient, in float32 at the least because it may be wrong in bf16.
    wide = torch.promote_types(x.dtype, torch.float32)
    gradient = _convolution_backward(
        x.to(wide),
        weight.to(wide),
        grad.to(wide),
        stride=stride,
        padding=kernel // 2 * dilation,
        dilation=dilation,
    )
    return gradient.to(weight.dtype)


def _gradient_3x3(x: Tensor, grad: Tensor, padding: int) -> Tensor:
    weight = x.new_empty(x.shape[1], 1, 3, 3)
    return _convolution_backward(x, weight, grad, stride=1, padding=padding, dilation=1)


def _convolution_backward(
    x: Tensor, weight: Tensor, grad: Tensor, *, stride: int, padding: int, dilation: int
) -> Tensor:
    """Return PyTorch's gradient of depthwise weights, which only depends on their shape."""
    gradient: Tensor = torch.ops.aten.convolution_backward(
        grad,
        x,
        weight,
        None,  # bias sizes
        [stride] * 2,
        [padding] * 2,
        [dilation] * 2,
        False,  # transposed
        [0, 0],  # output padding
        len(weight),  # groups
        [False, True, False],  # gradients of input, weights and bias
    )[1]
    return gradient


def _gradient_5x5(x: Tensor, grad: Tensor) -> Tensor:
    """Return the gradient of 5x5 weights from four shifted 3x3 ones.

    The middle row and column are part of two of them.
    """
    # Each 3x3 kernel is a corner of the 5x5 one; shift the padded input to it.
    # [B, C, H + 4, W + 4], which has the inputs of all 25 taps.
    padded, (height, width) = F.pad(x, (2, 2, 2, 2)), grad.shape[2:]
    gradient = x.new_empty(x.shape[1], 1, 5, 5)
    for top in (0, 2):
        for left in (0, 2):
            part = padded[:, :, top : top + height + 2, left : left + width + 2]
            gradient[:, :, top : top + 3, left : left + 3] = _gradient_3x3(
                part.contiguous(memory_format=LAST), grad, 0
            )
    return gradient


def _split_parities(x: Tensor) -> Tensor:
    """Return the images of even and odd rows and columns, [4 * B, C, H / 2, W / 2]."""
    batch, channels, height, width = x.shape
    # [B, H / 2, 2, W / 2, 2, C], then the parities to the front of the batch.
    split = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    parts = split.permute(2, 4, 0, 1, 3, 5).reshape(4 * batch, height // 2, width // 2, channels)
    return parts.permute(0, 3, 1, 2)
