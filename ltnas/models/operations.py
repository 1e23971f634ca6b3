"""The candidate operations of DARTS (Liu et al. 2019, section 3.1), each [B, C, H, W] to
[B, C, H / stride, W / stride].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ltnas.models.rectified import RectifiedConv, RectifiedConvNorm
from ltnas.space.layout import CellPlan


class Zero(nn.Module):
    """`none`: no connection."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Zeros in the output's shape."""
        return x.new_zeros(()).expand_as(x[:, :, :: self.stride, :: self.stride])


class FactorizedReduce(nn.Module):
    """ReLU, then two 1x1 convolutions of stride 2, one a pixel off, side by side, normalised."""

    def __init__(self, inputs: int, outputs: int, affine: bool) -> None:
        super().__init__()
        self.conv_1 = RectifiedConv(inputs, outputs // 2)
        self.conv_2 = RectifiedConv(inputs, outputs // 2)
        self.bn = nn.BatchNorm2d(outputs, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H / 2, W / 2]; H and W even."""
        # Every second pixel first, then the convolution: the backward of a strided 1x1 convolution
        # writes past its memory on the CPU (torch 2.15, channels-last, two outputs or fewer).
        halves = self.conv_1(x[:, :, ::2, ::2]), self.conv_2(x[:, :, 1::2, 1::2])
        y: Tensor = self.bn(torch.cat(halves, dim=1))
        return y


class DepthwiseUnits(nn.Sequential):
    """One or more times ReLU, depthwise, pointwise, normalisation."""

    def units(self) -> list[tuple[nn.Conv2d, nn.Conv2d, nn.BatchNorm2d]]:
        """Depthwise, pointwise and normalisation of each.

        Another normalisation may have taken the place of the last: look at its type.
        """
        children: list[Any] = list(self)
        return [tuple(children[i + 1 : i + 4]) for i in range(0, len(children), 4)]


def _depthwise_block(
    channels: int, kernel: int, stride: int, dilation: int, affine: bool
) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def separable(channels: int, kernel: int, stride: int, affine: bool) -> DepthwiseUnits:
    """`sep_conv`: ReLU, depthwise, pointwise, normalisation, twice; the stride in the first."""
    return DepthwiseUnits(
        *_depthwise_block(channels, kernel, stride, 1, affine),
        *_depthwise_block(channels, kernel, 1, 1, affine),
    )


def dilated(channels: int, kernel: int, stride: int, affine: bool) -> DepthwiseUnits:
    """`dil_conv`: ReLU, depthwise with dilation 2, pointwise, normalisation, once."""
    return DepthwiseUnits(*_depthwise_block(channels, kernel, stride, 2, affine))


def operation(name: str, channels: int, stride: int, affine: bool) -> nn.Module:
    """The module of a candidate operation.

    Args:
        name: one of `ltnas.config.OPERATIONS`.
        channels: of input and output.
        stride: 1 or 2.
        affine: whether normalisations have a learned scale and shift.
    """
    match name:
        case "none":
            return Zero(stride)
        case "max_pool_3x3":
            return nn.MaxPool2d(3, stride, padding=1)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
        case "sep_conv_3x3" | "sep_conv_5x5":
            return separable(channels, int(name[-1]), stride, affine)
        case "dil_conv_3x3" | "dil_conv_5x5":
            return dilated(channels, int(name[-1]), stride, affine)
        case _:
            raise ValueError(f"unknown operation {name}")


class DropPath(nn.Module):
    """In training each image's output is zero with a probability, else it is scaled up for that.

    The probability is a tensor, so that to change it compiles nothing again and waits for nothing.
    """

    probability: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("probability", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """[B, C, H, W] to the same; added to `onto`, if there is one, in the same pass."""
        if not self.training:
            return x if onto is None else onto + x
        survival = 1 - self.probability
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) < survival
        factor = (kept / survival).to(x.dtype)
        return x * factor if onto is None else torch.addcmul(onto, x, factor)


def preprocess_before(plan: CellPlan, affine: bool) -> nn.Module:
    """Fits the state of the cell before the previous one to the width and size of this cell."""
    if plan.follows_reduction:
        return FactorizedReduce(plan.before_previous, plan.channels, affine)
    return RectifiedConvNorm(plan.before_previous, plan.channels, affine)


def preprocess_previous(plan: CellPlan, affine: bool) -> nn.Module:
    """Fits the previous cell's state to the width of this cell."""
    return RectifiedConvNorm(plan.previous, plan.channels, affine)
