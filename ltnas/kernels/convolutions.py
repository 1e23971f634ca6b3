"""Kernels of convolutions: the units of `sep_conv` and `dil_conv`, and ReLU with a 1x1 convolution.

A unit is ReLU, depthwise convolution and pointwise convolution. Its output is kept without the
normalisation that follows it; whatever reads the output applies that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ltnas.kernels import Shape, addresses
from ltnas.kernels.calls import pixel_stride, pixels, run_kernel, threads_for
from ltnas.kernels.normalisation import IDENTITY, Normalisation, NormalisationBackward


@dataclass(frozen=True)
class Geometry:
    """Depthwise convolution of a unit.

    Args:
        kernel: side of the kernel, 3 or 5.
        stride: stride, 1 or 2.
        dilation: distance between the taps, 1 or 2.
    """

    kernel: int
    stride: int
    dilation: int

    def shape(self, x: Tensor, channels: int, edges: int, shared: bool) -> Shape:
        """Return the sizes and strides of a kernel call.

        Args:
            x: input, [B, H, W, C] or stacked.
            channels: channels of one edge.
            edges: number of edges.
            shared: True if all edges read the same input.
        """
        batch, height, width = x.shape[-4:-1]
        # With dilation 2 and stride 2 all taps fall on even pixels: a plain convolution of those.
        thinned = self.stride == 2 and self.dilation == 2
        step = 2 if thinned else 1
        stride, dilation = (1, 1) if thinned else (self.stride, self.dilation)
        # Multiply-adds: k^2 of the depthwise convolution and C of the pointwise one for each
        # output.
        work = batch * height * width * channels * edges * (self.kernel**2 + channels)
        return Shape(
            images=batch,
            height=height // step,
            width=width // step,
            channels=channels,
            edges=edges,
            kernel=self.kernel,
            dilation=dilation,
            stride=stride,
            source_height=height,
            source_width=width,
            step=step,
            shared=int(shared),
            x_stride=pixel_stride(x),
            threads=threads_for(work),
        )


class UnitGradients(NamedTuple):
    """Gradients of a unit.

    Args:
        depthwise: gradient of the depthwise weights; None: not wanted.
        pointwise: gradient of the pointwise weights; None: not wanted.
        sums: `NormalisationBackward.sums` of the unit before; None: there is no unit before.
    """

    depthwise: Tensor | None
    pointwise: Tensor | None
    sums: Tensor | None


def unit_forward(
    geometry: Geometry,
    x: Tensor,
    before: Normalisation | None,
    depthwise: Tensor,
    pointwise: Tensor,
    measure: bool,
) -> tuple[Tensor, Tensor | None]:
    """Compute ReLU, depthwise and pointwise convolution of each edge.

    Args:
        geometry: depthwise convolution.
        x: state that all edges share, [B, H, W, C]; with `before`, [edges, B, H, W, C].
        before: normalisation of the stacked input ahead of ReLU, [edges * C]; None: the input is a
            state.
        depthwise: depthwise weights, [edges * C, 1, k, k].
        pointwise: pointwise weights, [edges * C, C, 1, 1].
        measure: True to return the moments of the output.

    Returns:
        The output, [edges, B, H', W', C], and its sums and sums of squares, float64 [2, edges * C].
    """
    stacked, channels = pointwise.shape[:2]  # edges * C, C
    shape = geometry.shape(x, channels, stacked // channels, before is None)
    batch, height, width = x.shape[-4:-1]
    smaller = height // geometry.stride, width // geometry.stride
    out = x.new_empty(stacked // channels, batch, *smaller, channels)
    sums = x.new_empty(2, stacked, dtype=torch.float64) if measure else None
    # A null pointer tells the kernel that the input is not normalised.
    normalisation = before or IDENTITY
    run_kernel(
        "unit_forward",
        x.dtype,
        *(shape, x, *normalisation, depthwise, pointwise),
        *(out, sums),
    )
    return out, sums


def unit_backward(
    *,
    geometry: Geometry,
    x: Tensor,
    before: Normalisation | None,
    depthwise: Tensor,
    pointwise: Tensor,
    after: NormalisationBackward,
    grad_x: Tensor,
    needs_weights: bool,
) -> UnitGradients:
    """Compute the gradients of a unit and of the normalisation after it.

    Args:
        geometry: depthwise convolution.
        x: input of the unit (see `unit_forward`).
        before: normalisation of the input (see `unit_forward`).
        depthwise: depthwise weights.
        pointwise: pointwise weights.
        after: backward pass of the normalisation after the unit.
        grad_x: receives the gradient of the input. It is added to that of a shared state; for a
            stacked input it is overwritten with the gradient of the input of ReLU.
        needs_weights: True to compute the gradients of the weights.
    """
    stacked, channels = pointwise.shape[:2]  # edges * C, C
    shape = geometry.shape(x, channels, stacked // channels, before is None)
    grad_depthwise = torch.empty_like(depthwise) if needs_weights else None
    grad_pointwise = torch.empty_like(pointwise) if needs_weights else None
    sums = None
    if before is not None:
        # Sums that the backward pass of the normalisation before this unit needs, [edges, 2, C].
        sums = x.new_empty(stacked // channels, 2, channels, dtype=torch.float64)
    mean, inverse, scale, _ = after.normalisation
    run_kernel(
        "unit_backward",
        x.dtype,
        *(shape, x, *(before or IDENTITY), depthwise, pointwise),
        # Output of the unit, with its gradients and its normalisation.
        *(addresses(after.grads), pixel_stride(after.grads[0])),
        *(after.inputs, scale, mean, inverse, after.sums),
        # Results.
        *(grad_x, pixel_stride(grad_x), grad_depthwise, grad_pointwise, sums),
    )
    return UnitGradients(grad_depthwise, grad_pointwise, sums)


def rectified_forward(x: Tensor, weight: Tensor, measure: bool) -> tuple[Tensor, Tensor | None]:
    """Compute ReLU and a 1x1 convolution.

    Args:
        x: dense input, [B, H, W, inputs].
        weight: weights, [outputs, inputs, 1, 1].
        measure: True to return the moments of the output.

    Returns:
        The output, [B, H, W, outputs], and its sums and sums of squares, float64 [2, outputs].
    """
    outputs, inputs = weight.shape[:2]
    out = x.new_empty(*x.shape[:3], outputs)
    sums = x.new_empty(2, outputs, dtype=torch.float64) if measure else None
    shape = (pixels(x), inputs, outputs)
    threads = threads_for(out.numel() * inputs)
    run_kernel("rectified_forward", x.dtype, *(*shape, x, weight, out, sums, threads))
    return out, sums


def rectified_backward(
    *, x: Tensor, weight: Tensor, after: NormalisationBackward, needs_x: bool, needs_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Compute the gradients of x and of the weights, None for those that are not needed.

    Args:
        x: dense input, [B, H, W, inputs].
        weight: weights, [outputs, inputs, 1, 1].
        after: backward pass of the normalisation after the convolution, with one dense gradient,
            inputs [B, H, W, outputs] and sums [2, outputs].
        needs_x: True to compute the gradient of x.
        needs_weight: True to compute the gradient of the weights.
    """
    outputs, inputs = weight.shape[:2]
    grad_x = torch.empty_like(x) if needs_x else None
    grad_weight = torch.empty_like(weight) if needs_weight else None
    mean, inverse, scale, _ = after.normalisation
    run_kernel(
        "rectified_backward",
        x.dtype,
        *(pixels(x), inputs, outputs, x, weight, after.grads[0], after.inputs),
        *(scale, mean, inverse, after.sums, grad_x, grad_weight),
        threads_for(2 * after.inputs.numel() * inputs),
    )
    return grad_x, grad_weight
