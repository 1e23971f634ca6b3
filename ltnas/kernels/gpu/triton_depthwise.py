"""Depthwise convolutions of one state by the filters of several edges, on a GPU.

Every edge that leaves a state convolves the same rectified channels with filters of its own: the
output channel e * C + c is computed from the input channel c. Nothing is copied for the edges.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.depthwise_geometry import Geometry, check_kernel
from ltnas.kernels.gpu.layout import dense, empty, spaced
from ltnas.kernels.gpu.triton_depthwise_forward import convolve
from ltnas.kernels.gpu.triton_depthwise_input import input_gradient
from ltnas.kernels.gpu.triton_depthwise_weights import filter_gradient, parts_of


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
        gradient = dense(gradients[0])
        needs_x, needs_weight, *_ = ctx.needs_input_grad
        dx = dw = None
        if needs_x:
            dx = empty(*x.shape, like=x)
            input_gradient(gradient, x, taps, dx, geometry, None)
        if needs_weight:
            (kernel,), filters = geometry.kernels, geometry.filters
            parts, size = parts_of(gradient, geometry), filters * kernel**2
            partial = torch.empty(parts, size, dtype=torch.float32, device=x.device)
            filter_gradient(gradient, x, partial, geometry, None)
            dw = partial.sum(0).view(filters, 1, kernel, kernel)
        return dx, dw, None, None, None
