"""Candidate operations of several edges at once: the edges that leave a state see the same input.

Stacked tensors have the edges' channels side by side, [B, edges * C, H, W]. Each module takes a
rectified state (ReLU is shared by the edges) and a scale for each channel of its output, in which
the mixing weight is folded into the last normalisation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.kernels.calls import Geometry
from ltnas.models.depthwise import depthwise


def normalise(layer: nn.Module, x: Tensor, scale: Tensor | None) -> Tensor:
    """A normalisation without parameters, times a scale [channels] or nothing."""
    if scale is None or type(layer) is not nn.BatchNorm2d:
        y: Tensor = layer(x)
        return y if scale is None else y * scale.to(y.dtype).view(1, -1, 1, 1)
    batch = layer.training or not layer.track_running_stats
    remembers = layer.track_running_stats
    assert layer.momentum is not None
    if layer.training and remembers and layer.num_batches_tracked is not None:
        layer.num_batches_tracked.add_(1)
    return F.batch_norm(
        x,
        layer.running_mean if remembers else None,
        layer.running_var if remembers else None,
        scale,
        torch.zeros_like(scale),
        batch,
        layer.momentum,
        layer.eps,
    )


def weights_of(channels: int, *shape: int) -> nn.Parameter:
    """Weights of `channels` filters, drawn as `nn.Conv2d` draws them."""
    weight = nn.Parameter(torch.empty(channels, *shape))
    nn.init.kaiming_uniform_(weight, a=5**0.5)
    return weight


class Unit(nn.Module):
    """Depthwise and pointwise convolution of each edge, and normalisation.

    Args:
        edges: how many are stacked.
        channels: of one edge.
        kernel: side of the depthwise convolution.
        stride: of it.
        dilation: of it.
    """

    def __init__(self, edges: int, channels: int, kernel: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.edges, self.geometry = edges, Geometry(kernel, stride, dilation)
        self.depthwise = weights_of(edges * channels, 1, kernel, kernel)
        self.pointwise = weights_of(edges * channels, channels, 1, 1)
        self.norm = nn.BatchNorm2d(edges * channels, affine=False)

    def forward(self, x: Tensor, scale: Tensor | None) -> Tensor:
        """Rectified and stacked [B, edges * C, H, W] to [B, edges * C, H', W']."""
        y = depthwise(x, self.depthwise, self.geometry.stride, self.geometry.dilation)
        return normalise(self.norm, F.conv2d(y, self.pointwise, groups=self.edges), scale)


class Convolutions(nn.Module):
    """`sep_conv` (two units, the stride in the first) or `dil_conv` (one, dilated)."""

    def __init__(self, name: str, edges: int, channels: int, stride: int) -> None:
        super().__init__()
        kernel, separable = int(name[-1]), name.startswith("sep")
        units = [Unit(edges, channels, kernel, stride, 1 if separable else 2)]
        if separable:
            units.append(Unit(edges, channels, kernel, 1, 1))
        self.units = nn.ModuleList(units)

    def chain(self) -> list[Unit]:
        """The units, in order."""
        return [unit for unit in self.units if isinstance(unit, Unit)]

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """Rectified and stacked input to the scaled output of each edge."""
        first, *others = self.units
        y: Tensor = first(x, None if others else scale)
        for unit in others:
            y = unit(F.relu(y, inplace=True), scale)
        return y


class Reduce(nn.Module):
    """`skip_connect` at stride 2: two 1x1 convolutions, one a pixel off, side by side."""

    def __init__(self, edges: int, channels: int) -> None:
        super().__init__()
        self.edges = edges
        self.conv_1 = weights_of(edges * (channels // 2), channels, 1, 1)
        self.conv_2 = weights_of(edges * (channels // 2), channels, 1, 1)
        self.norm = nn.BatchNorm2d(edges * channels, affine=False)

    def join(self, first: Tensor, second: Tensor) -> Tensor:
        """Both halves of each edge, [B, edges * C / 2, H, W], to [B, edges * C, H, W]."""
        shape = (len(first), self.edges, -1, *first.shape[2:])
        halves = torch.cat([first.view(shape), second.view(shape)], dim=2)
        stacked = halves.view(len(first), -1, *first.shape[2:])
        return stacked.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        """A rectified state [B, C, H, W], not stacked, to [B, edges * C, H / 2, W / 2]."""
        first = F.conv2d(x[:, :, ::2, ::2], self.conv_1)
        second = F.conv2d(x[:, :, 1::2, 1::2], self.conv_2)
        return normalise(self.norm, self.join(first.contiguous(), second.contiguous()), scale)


class Pool(nn.Module):
    """A 3x3 pool and its normalisation: the same for all edges, as it has no weights."""

    def __init__(self, name: str, channels: int, stride: int) -> None:
        super().__init__()
        self.largest, self.stride = name.startswith("max"), stride
        self.norm = nn.BatchNorm2d(channels, affine=False)

    def forward(self, state: Tensor) -> Tensor:
        """A state [B, C, H, W] to [B, C, H', W']."""
        if self.largest:
            return normalise(self.norm, F.max_pool2d(state, 3, self.stride, 1), None)
        pooled = F.avg_pool2d(state, 3, self.stride, 1, count_include_pad=False)
        return normalise(self.norm, pooled, None)
