"""Calls of the GPU kernels that compute several units at once, and the same in PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.gpu_calls import Call
from benchmarks.gpu_work import Work, numbers
from ltnas.kernels import gpu
from ltnas.kernels.gpu.edge_operations import EdgeUnits, Shared


def make_candidates(call: Call, x: Tensor) -> Work:
    """Return all candidates of a state with random weights."""
    edges, stride, shapes, separable, (maximum, mean, skip) = call.settings
    channels = call.shape[1]
    filters = edges * channels
    # (kernel, stride, dilation) of the first units and then of the second ones.
    units = [(kernel, stride, dilation) for kernel, dilation in shapes]
    units += [(kernel, 1, 1) for kernel, _ in shapes[:separable]]
    weights = [numbers(x, filters, 1, kernel, kernel) for kernel, *_ in units]
    weights += [numbers(x, filters, channels, 1, 1) for _ in units]
    scales = [numbers(x, filters) for _ in range(len(shapes) + maximum + mean + skip)]
    pools = [nn.BatchNorm2d(channels, affine=False).to(x.device) for _ in range(2)]
    shared = Shared(pools[0] if maximum else None, pools[1] if mean else None, skip)
    norms = [nn.BatchNorm2d(filters, affine=False).to(x.device) for _ in units]

    def ours(x: Tensor, *inputs: Tensor) -> Tensor:
        made = [
            EdgeUnits(inputs[i], inputs[len(units) + i], norms[i], own_stride, dilation)
            for i, (_, own_stride, dilation) in enumerate(units)
        ]
        first, second = made[: len(shapes)], made[len(shapes) :]
        pairs = list(zip(first[:separable], second, strict=True))
        return gpu.candidates(x, pairs, first[separable:], shared, inputs[2 * len(units) :])

    def theirs(x: Tensor, *inputs: Tensor) -> Tensor:
        def unit(number: int, y: Tensor) -> Tensor:
            kernel, own_stride, dilation = units[number]
            y = F.conv2d(
                F.relu(y),
                inputs[number].to(y.dtype),
                stride=own_stride,
                padding=kernel // 2 * dilation,
                dilation=dilation,
                groups=filters,
            )
            y = F.conv2d(y, inputs[len(units) + number].to(y.dtype), groups=edges)
            return F.batch_norm(y, None, None, training=True)

        total: Tensor | None = None
        for number in range(len(shapes)):
            y = unit(number, torch.cat([x] * edges, 1))
            if number < separable:
                y = unit(len(shapes) + number, y)
            y = y * inputs[2 * len(units) + number].to(y.dtype).view(1, -1, 1, 1)
            total = y if total is None else total + y
        assert total is not None
        others = [F.max_pool2d(x, 3, stride, 1)] if maximum else []
        if mean:
            # See `ltnas.models.pools.mean_pool`.
            others.append(F.avg_pool2d(x.contiguous(), 3, stride, 1, count_include_pad=False))
        others = [F.batch_norm(one, None, None, training=True) for one in others]
        others += [x] if skip else []
        for y, scale in zip(others, inputs[2 * len(units) + len(shapes) :], strict=True):
            total = total + torch.cat([y] * edges, 1) * scale.to(y.dtype).view(1, -1, 1, 1)
        return total

    return Work(ours, theirs, [x, *weights, *scales])


def make_operations(call: Call, x: Tensor) -> Work:
    """Return operations of a discrete network with random weights, scales and shifts."""
    stride, shapes, dropped = call.settings
    channels = call.shape[1]
    # (kernel, stride, dilation) of the units of one operation after another.
    units = [
        (kernel, 1 if number else stride, dilation)
        for kernel, dilation, count in shapes
        for number in range(count)
    ]
    weights = [numbers(x, channels, 1, kernel, kernel) for kernel, *_ in units]
    weights += [numbers(x, channels, channels, 1, 1) for _ in units]
    norms = [nn.BatchNorm2d(channels).to(x.device) for _ in units]
    learned = [p for norm in norms for p in (norm.weight, norm.bias)]
    for parameter in learned:
        nn.init.uniform_(parameter, -1, 1)
    factors = [torch.rand(len(x), 1, 1, 1, device=x.device).to(x.dtype) for _ in shapes]

    def ours(x: Tensor, *inputs: Tensor) -> Tensor:
        made = [
            EdgeUnits(inputs[i], inputs[len(units) + i], norms[i], own_stride, dilation)
            for i, (_, own_stride, dilation) in enumerate(units)
        ]
        remaining = iter(made)
        chosen = [[next(remaining) for _ in range(count)] for _, _, count in shapes]
        return gpu.operations(x, chosen, factors if dropped else None)

    def theirs(x: Tensor, *inputs: Tensor) -> Tensor:
        remaining = iter(range(len(units)))
        found = []
        for (_, _, count), factor in zip(shapes, factors, strict=True):
            y = x
            for number in (next(remaining) for _ in range(count)):
                kernel, own_stride, dilation = units[number]
                y = F.conv2d(
                    F.relu(y),
                    inputs[number].to(y.dtype),
                    stride=own_stride,
                    padding=kernel // 2 * dilation,
                    dilation=dilation,
                    groups=channels,
                )
                y = F.conv2d(y, inputs[len(units) + number].to(y.dtype))
                scale, shift = inputs[2 * len(units) + 2 * number :][:2]
                y = F.batch_norm(y, None, None, scale, shift, training=True)
            found.append(y * factor.to(y.dtype) if dropped else y)
        return torch.cat(found, 1)

    return Work(ours, theirs, [x, *weights, *learned])
