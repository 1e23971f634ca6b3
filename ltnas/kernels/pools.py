"""Kernels of 3x3 pools: maximum and mean in one pass, padding left out."""

from __future__ import annotations

from torch import Tensor

from ltnas.kernels import Shape
from ltnas.kernels.calls import pixel_stride, run_kernel
from ltnas.kernels.convolutions import Geometry


def pool_forward(x: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Return the maximum and the mean of each 3x3 window of [B, H, W, C], both [B, H', W', C]."""
    shape = (len(x), x.shape[1] // stride, x.shape[2] // stride, x.shape[3])
    maximum, mean = x.new_empty(shape), x.new_empty(shape)
    arguments = (_shape(x, stride), x, maximum, mean)
    run_kernel("pool_forward", x.dtype, *arguments)
    return maximum, mean


def pool_backward(
    x: Tensor, stride: int, grad_maximum: Tensor, grad_mean: Tensor, grad_x: Tensor
) -> None:
    """Add the gradients of both pools to the gradient of their input.

    Args:
        x: input, [B, H, W, C].
        stride: stride of the windows, 1 or 2.
        grad_maximum: gradient of the maximum, [B, H', W', C].
        grad_mean: gradient of the mean, [B, H', W', C].
        grad_x: gradient of the input, [B, H, W, C], which is increased.
    """
    arguments = (x, grad_maximum, grad_mean, grad_x, pixel_stride(grad_x))
    run_kernel("pool_backward", x.dtype, _shape(x, stride), *arguments)


def _shape(x: Tensor, stride: int) -> Shape:
    return Geometry(kernel=3, stride=stride, dilation=1).shape(x, x.shape[3], 1, shared=True)
