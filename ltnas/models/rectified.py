"""A 1x1 convolution of what ReLU leaves of its input, normalised: what fits widths of states."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ltnas.kernels import kernels
from ltnas.kernels.calls import (
    Normalisation,
    Term,
    Upon,
    count_batch,
    mix,
    mix_products,
    pixels,
    rectified_backward,
    rectified_forward,
    rows,
    statistics,
)
from ltnas.kernels.eligibility import computable, hooked, measures, takes


class RectifiedConv(nn.Conv2d):
    """ReLU and a convolution without bias, [B, inputs, H, W] to [B, outputs, H, W].

    Keeps the input for backward, which others keep anyway, and not what ReLU leaves of it.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of max(input, 0)."""
        y: Tensor = _Rectified.apply(input, self.weight)
        return y


class _Rectified(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x, weight)
        return F.conv2d(F.relu(x), weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        # Under autocast the convolution was in bf16, and so is its gradient.
        rectified, kernel = F.relu(x).to(gradient.dtype), weight.to(gradient.dtype)
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient,
            rectified,
            kernel,
            None,
            (1, 1),
            (0, 0),
            (1, 1),
            False,
            (0, 0),
            1,
            (*ctx.needs_input_grad, False),
        )
        if of_x is not None:
            of_x = torch.ops.aten.threshold_backward(of_x.to(x.dtype), x, 0)
        return of_x, None if of_weight is None else of_weight.to(weight.dtype)


class RectifiedConvNorm(nn.Sequential):
    """ReLU, 1x1 convolution, normalisation; by kernels, if they can.

    The first of the three is empty, as ReLU is in the second: names of weights are those of
    published checkpoints.
    """

    def __init__(self, inputs: int, outputs: int, affine: bool) -> None:
        super().__init__(
            nn.Identity(), RectifiedConv(inputs, outputs), nn.BatchNorm2d(outputs, affine=affine)
        )

    def forward(self, input: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H, W]."""
        conv, norm = self[1], self[2]
        y: Tensor
        if isinstance(norm, nn.BatchNorm2d) and self._runs_natively(norm, input):
            y = _Normalised.apply(norm, input, conv.weight, norm.weight, norm.bias)
            count_batch([norm])
        else:
            y = norm(conv(input))
        return y

    def _runs_natively(self, norm: nn.BatchNorm2d, x: Tensor) -> bool:
        return takes(x) and computable(norm) and kernels() is not None and not hooked(self)


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        layer: nn.BatchNorm2d,
        x: Tensor,
        weight: Tensor,
        scale: Tensor | None,
        shift: Tensor | None,
    ) -> Tensor:
        state, own = rows(x), weight.contiguous()
        p, sums = rectified_forward(state, own, measures(layer))
        mean, inverse, of_scale = torch.ones(3, layer.num_features, dtype=torch.float64)
        statistics(layer, sums, pixels(p), Normalisation(mean, inverse))
        if scale is not None:
            of_scale.copy_(scale)
        out = torch.empty_like(p)
        by = shift if shift is None else shift.double()
        mix([Term(p, of_scale, mean, inverse)], out, add=False, shift=by)
        ctx.affine = scale is not None
        ctx.save_for_backward(state, own, p, mean, inverse, of_scale)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight, p, mean, inverse, scale = ctx.saved_tensors
        g, sums = rows(gradients[0]), torch.empty(2, p.shape[3], dtype=torch.float64)
        mix_products(g, [Term(p, scale, mean, inverse)], [sums])
        upon = Upon([g], p, Normalisation(mean, inverse, scale), sums)
        gx, of_weight = rectified_backward(x, weight, upon, *ctx.needs_input_grad[1:3])
        of_scale, of_shift = (sums[1], sums[0]) if ctx.affine else (None, None)
        return (
            None,
            None if gx is None else gx.permute(0, 3, 1, 2),
            of_weight,
            None if of_scale is None else of_scale.to(p.dtype),
            None if of_shift is None else of_shift.to(p.dtype),
        )
