"""Candidate operations of DARTS (Liu et al. 2019, section 3.1).

Each maps [B, C, H, W] to [B, C, H / stride, W / stride].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ltnas.models.pools import MaximumPool, MeanPool
from ltnas.models.rectified import RectifiedConv, RectifiedConvNorm
from ltnas.space.layout import CellPlan


class Zero(nn.Module):
    """The operation `none`, no connection."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros, [B, C, H / stride, W / stride]."""
        # A view of one zero, without memory of its own.
        return x.new_zeros(()).expand_as(x[:, :, :: self.stride, :: self.stride])


class Noise(nn.Module):
    """The operation `noise` of search space S4 (Zela et al. 2020), which ignores its input.

    In training and in tests, as in the authors' code. Numbers come from torch's global generator.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return standard normal numbers, [B, C, H / stride, W / stride]; x gets no gradient."""
        return torch.randn_like(x.detach()[:, :, :: self.stride, :: self.stride])


class FactorizedReduce(nn.Module):
    """ReLU, two 1x1 convolutions of stride 2, and normalisation.

    The second convolution starts one pixel further down and to the right; their outputs are
    concatenated.

    Args:
        inputs: input channels.
        outputs: output channels.
        affine: True for a normalisation with learned scale and shift.
    """

    def __init__(self, inputs: int, outputs: int, affine: bool) -> None:
        super().__init__()
        self.conv_1 = RectifiedConv(inputs, outputs // 2)
        self.conv_2 = RectifiedConv(inputs, outputs // 2)
        self.bn = nn.BatchNorm2d(outputs, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the operation, [B, inputs, H, W] to [B, outputs, H / 2, W / 2]; H and W even."""
        # Pixels are selected before the convolution, because the backward pass of a strided 1x1
        # convolution writes out of bounds on the CPU (torch 2.15, channels-last, at most two
        # outputs).
        halves = self.conv_1(x[:, :, ::2, ::2]), self.conv_2(x[:, :, 1::2, 1::2])
        y: Tensor = self.bn(torch.cat(halves, dim=1))
        return y


class DepthwiseUnits(nn.Sequential):
    """One or more units of ReLU, depthwise convolution, pointwise convolution and normalisation."""

    def units(self) -> list[tuple[nn.Conv2d, nn.Conv2d, nn.BatchNorm2d]]:
        """Return depthwise convolution, pointwise convolution and normalisation of each unit.

        Distributed training may have replaced a normalisation by one of another type.
        """
        children: list[Any] = list(self)  # four modules for each unit, of which the first is ReLU
        return [tuple(children[i + 1 : i + 4]) for i in range(0, len(children), 4)]


def _depthwise_block(
    channels: int, kernel: int, *, stride: int, dilation: int, affine: bool
) -> list[nn.Module]:
    padding = dilation * (kernel // 2)  # keeps the size at stride 1
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=channels,
            bias=False,
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def separable(channels: int, kernel: int, stride: int, affine: bool) -> DepthwiseUnits:
    """Return a `sep_conv`: two units, of which the first has the stride."""
    return DepthwiseUnits(
        *_depthwise_block(channels, kernel, stride=stride, dilation=1, affine=affine),
        *_depthwise_block(channels, kernel, stride=1, dilation=1, affine=affine),
    )


def dilated(channels: int, kernel: int, stride: int, affine: bool) -> DepthwiseUnits:
    """Return a `dil_conv`: one unit, whose depthwise convolution has dilation 2."""
    return DepthwiseUnits(
        *_depthwise_block(channels, kernel, stride=stride, dilation=2, affine=affine)
    )


def operation(name: str, channels: int, stride: int, affine: bool) -> nn.Module:
    """Build the module of a candidate operation.

    Args:
        name: one of `ltnas.config.KNOWN_OPERATIONS`.
        channels: channels of input and output.
        stride: stride, 1 or 2.
        affine: True for normalisations with learned scale and shift.

    Raises:
        ValueError: the name is unknown.
    """
    match name:
        case "none":
            return Zero(stride)
        case "max_pool_3x3":
            # Not normalised, unlike the pools of the supernet (as in DARTS).
            return MaximumPool(stride)
        case "avg_pool_3x3":
            return MeanPool(stride)
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine)
        case "sep_conv_3x3" | "sep_conv_5x5":
            return separable(channels, int(name[-1]), stride, affine)
        case "dil_conv_3x3" | "dil_conv_5x5":
            return dilated(channels, int(name[-1]), stride, affine)
        case "noise":
            return Noise(stride)
        case _:
            raise ValueError(f"{name} is not a candidate operation")


class DropPath(nn.Module):
    """Draws which operations are dropped for which images in training (Larsson et al. 2017).

    Outputs that are kept are divided by the probability of keeping them. The probability of
    dropping is a tensor, so that changing it causes neither a new compilation nor a
    synchronisation. The factors of all operations of a network are drawn at once: each draw of its
    own took five operations, which were a sixth of a training step's launches on a GPU.
    """

    probability: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("probability", torch.zeros(()), persistent=False)

    def forward(self, operations: int, like: Tensor) -> tuple[Tensor, ...]:
        """Return the factor of each operation's output, [B, 1, 1, 1]; () outside of training.

        Args:
            operations: number of operations.
            like: state [B, C, H, W], of whose type and device the factors are.
        """
        if not self.training:
            return ()
        survival = 1 - self.probability
        kept = torch.rand(operations, len(like), 1, 1, 1, device=like.device) < survival
        return (kept / survival).to(like.dtype).unbind()


def preprocess_before(plan: CellPlan, affine: bool) -> nn.Module:
    """Return a module that fits the output of the cell before the previous one to this cell.

    It changes the width, and halves the size if the previous cell is a reduction cell.
    """
    if plan.follows_reduction:
        return FactorizedReduce(plan.before_previous, plan.channels, affine)
    return RectifiedConvNorm(plan.before_previous, plan.channels, affine)


def preprocess_previous(plan: CellPlan, affine: bool) -> nn.Module:
    """Return a module that fits the width of the previous cell's output to this cell."""
    return RectifiedConvNorm(plan.previous, plan.channels, affine)
