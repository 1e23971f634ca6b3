"""Calls of single GPU kernels with random inputs, and the same in PyTorch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gpu_calls import Call
from ltnas.kernels import gpu
from ltnas.kernels.gpu.layout import LAST


class Work(NamedTuple):
    """A call with its inputs, and the same in PyTorch."""

    ours: Callable[..., Tensor]
    theirs: Callable[..., Tensor]
    inputs: list[Tensor]


def images(like: Tensor, *shape: int) -> Tensor:
    """Return random activations [B, C, H, W] of the type of another tensor, with gradient."""
    x = torch.randn(shape, device=like.device, dtype=like.dtype)
    return x.contiguous(memory_format=LAST).requires_grad_()


def numbers(like: Tensor, *shape: int) -> Tensor:
    """Return random weights on the device of another tensor, with gradient."""
    return torch.randn(shape, device=like.device).requires_grad_()


def make_depthwise(call: Call, x: Tensor) -> Work:
    """Return depthwise convolutions of the edges that leave a state."""
    channels = call.shape[1]
    edges, kernel, stride, dilation, rectify = call.settings
    how = {"stride": stride, "dilation": dilation}

    def convolve(x: Tensor, weight: Tensor) -> Tensor:
        x = F.relu(x) if rectify else x
        x, padding = torch.cat([x] * edges, 1), kernel // 2 * dilation
        return F.conv2d(x, weight.to(x.dtype), padding=padding, groups=edges * channels, **how)

    weight = numbers(x, edges * channels, 1, kernel, kernel)
    return Work(
        lambda x, weight: gpu.depthwise(x, weight, rectify=rectify, **how),
        convolve,
        [x, weight],
    )


def make_pointwise(call: Call, x: Tensor) -> Work:
    """Return a pointwise convolution in groups."""
    channels = call.shape[1]
    outputs, groups = call.settings
    return Work(
        lambda x, weight: gpu.pointwise(x, weight, groups),
        lambda x, weight: F.conv2d(x, weight.to(x.dtype), groups=groups),
        [x, numbers(x, outputs, channels // groups, 1, 1)],
    )


def make_normalise(call: Call, x: Tensor) -> Work:
    """Return a normalisation; settings tell whether there are scales, shifts and an addend."""
    channels = call.shape[1]
    layer = nn.BatchNorm2d(channels, affine=False).to(x.device)
    makers = (
        lambda: numbers(x, channels),
        lambda: numbers(x, channels),
        lambda: images(x, *x.shape),
    )
    given = [make() if wanted else None for wanted, make in zip(call.settings, makers, strict=True)]

    def unpack(inputs: Sequence[Tensor]) -> list[Tensor | None]:
        left = list(inputs)
        return [left.pop(0) if one is not None else None for one in given]

    def ours(x: Tensor, *inputs: Tensor) -> Tensor:
        scale, shift, onto = unpack(inputs)
        return gpu.normalise(layer, x, scale, shift, onto=onto)

    def theirs(x: Tensor, *inputs: Tensor) -> Tensor:
        scale, shift, onto = unpack(inputs)
        y = F.batch_norm(x, None, None, scale, shift, training=True)
        return y if onto is None else onto + y

    return Work(ours, theirs, [x, *(one for one in given if one is not None)])


def make_pools(call: Call, x: Tensor) -> Work:
    """Return the maximum and the mean of a state, of which one may be absent."""
    stride, maximum, mean = call.settings

    def ours_pools(x: Tensor) -> Tensor:
        return torch.cat(gpu.pools(x, stride, maximum=maximum, mean=mean))

    def their_pools(x: Tensor) -> Tensor:
        found = [F.max_pool2d(x, 3, stride, 1)] if maximum else []
        if mean:
            # See `ltnas.models.pools.mean_pool`.
            x = x.contiguous()
            found.append(F.avg_pool2d(x, 3, stride, 1, count_include_pad=False))
        return torch.cat(found)

    return Work(ours_pools, their_pools, [x])


def make_weighted_sum(call: Call, x: Tensor) -> Work:
    """Return a sum of weighted and other terms, which may be slices of channels."""
    batch, channels, height, width = call.shape
    weighted, strides = call.settings
    terms = [
        images(x, batch, stride, height, width).detach()[:, :channels].requires_grad_()
        for stride in strides
    ]
    weights = [numbers(x) for _ in range(weighted)]

    def pairs(inputs: Sequence[Tensor]) -> list[tuple[Tensor, Tensor | None]]:
        tensors, factors = inputs[: len(terms)], [*inputs[len(terms) :]]
        return [(x, factors[i] if i < weighted else None) for i, x in enumerate(tensors)]

    def added(*inputs: Tensor) -> Tensor:
        terms = (x if w is None else x * w.to(x.dtype) for x, w in pairs(inputs))
        return functools.reduce(torch.add, terms)

    return Work(lambda *inputs: gpu.weighted_sum(pairs(inputs)), added, [*terms, *weights])
