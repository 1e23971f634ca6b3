"""A 1x1 convolution of what ReLU leaves of its input."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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
