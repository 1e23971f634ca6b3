"""ReLU and a 1x1 convolution, alone and with normalisation; cells fit their inputs with them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ltnas.kernels import gpu, kernels
from ltnas.kernels.calls import pixels, to_channels_last
from ltnas.kernels.convolutions import rectified_backward, rectified_forward
from ltnas.kernels.eligibility import computable, hooked, known_to_gpu, measures, takes
from ltnas.kernels.normalisation import (
    Normalisation,
    NormalisationBackward,
    Term,
    count_batch,
    mix,
    mix_products,
    statistics,
)


class RectifiedConv(nn.Conv2d):
    """ReLU and a 1x1 convolution without bias, [B, inputs, H, W] to [B, outputs, H, W].

    It saves its input for the backward pass, which other modules save anyway, and computes ReLU
    again.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of max(input, 0)."""
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
        grad_x, grad_weight, _ = torch.ops.aten.convolution_backward(
            gradient,
            rectified,
            kernel,
            None,  # bias sizes
            (1, 1),  # stride
            (0, 0),  # padding
            (1, 1),  # dilation
            False,  # transposed
            (0, 0),  # output padding
            1,  # groups
            (*ctx.needs_input_grad, False),
        )
        if grad_x is not None:  # back through ReLU
            grad_x = torch.ops.aten.threshold_backward(grad_x.to(x.dtype), x, 0)
        return grad_x, None if grad_weight is None else grad_weight.to(weight.dtype)


class RectifiedConvNorm(nn.Sequential):
    """ReLU, 1x1 convolution and normalisation, by the kernels of the device if they can.

    The second module contains ReLU, and the first one is empty: it keeps the names of weights those
    of published checkpoints.
    """

    def __init__(self, inputs: int, outputs: int, affine: bool) -> None:
        super().__init__(
            nn.Identity(), RectifiedConv(inputs, outputs), nn.BatchNorm2d(outputs, affine=affine)
        )

    def forward(self, input: Tensor) -> Tensor:
        """Apply the modules, [B, inputs, H, W] to [B, outputs, H, W]."""
        conv, norm = self[1], self[2]
        y: Tensor
        if isinstance(norm, nn.BatchNorm2d) and self._runs_natively(norm, input):
            y = _Normalised.apply(norm, input, conv.weight, norm.weight, norm.bias)
            count_batch([norm])
        elif gpu.takes(input) and known_to_gpu(norm):
            y = gpu.normalise(norm, conv(input), norm.weight, norm.bias)
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
        state, kernel = to_channels_last(x), weight.contiguous()  # [B, H, W, inputs]
        output, sums = rectified_forward(state, kernel, measures(layer))  # [B, H, W, outputs]
        # Without learned parameters the scale stays 1.
        mean, inverse, factor = torch.ones(3, layer.num_features, dtype=torch.float64)
        statistics(layer, sums, pixels(output), Normalisation(mean, inverse))
        if scale is not None:
            factor.copy_(scale)
        out = torch.empty_like(output)
        constant = None if shift is None else shift.double()
        mix([Term(output, factor, mean, inverse)], out, add=False, shift=constant)
        ctx.affine = scale is not None
        # The output before its normalisation: the gradient of a normalisation needs its input.
        ctx.save_for_backward(state, kernel, output, mean, inverse, factor)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight, output, mean, inverse, factor = ctx.saved_tensors
        grad = to_channels_last(gradients[0])
        sums = torch.empty(2, output.shape[3], dtype=torch.float64)
        mix_products(grad, [Term(output, factor, mean, inverse)], [sums])
        # Gradients of the normalisation and of the convolution are one pass over memory.
        norm = Normalisation(mean, inverse, factor)
        _, needs_x, needs_weight, *_ = ctx.needs_input_grad
        grad_x, grad_weight = rectified_backward(
            x=x,
            weight=weight,
            after=NormalisationBackward([grad], output, norm, sums),
            needs_x=needs_x,
            needs_weight=needs_weight,
        )
        # The gradient of the scale is the sum of grad * normalised, that of the shift of grad.
        grad_scale, grad_shift = (sums[1], sums[0]) if ctx.affine else (None, None)
        return (
            None,
            None if grad_x is None else grad_x.permute(0, 3, 1, 2),
            grad_weight,
            None if grad_scale is None else grad_scale.to(output.dtype),
            None if grad_shift is None else grad_shift.to(output.dtype),
        )
