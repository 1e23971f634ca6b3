"""Candidate operations of the edges that leave a state, as the GPU kernels take them."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class EdgeUnits(NamedTuple):
    """Depthwise convolution, pointwise convolution and normalisation of every edge of a state.

    `depthwise` is [edges * C, 1, k, k] and `pointwise` [edges * C, C, 1, 1]. The normalisation has
    no parameters in a supernet, and learned ones in a discrete network, where there is one edge.
    """

    depthwise: Tensor
    pointwise: Tensor
    norm: nn.BatchNorm2d
    stride: int
    dilation: int


class Shared(NamedTuple):
    """Candidate operations that give every edge of a state the same tensor.

    The pools have a normalisation without parameters each, None if they are not candidates; `skip`
    is True for a skip connection at stride 1.
    """

    maximum: nn.BatchNorm2d | None
    mean: nn.BatchNorm2d | None
    skip: bool
