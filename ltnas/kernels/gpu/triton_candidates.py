"""All candidate operations of the edges that leave a state, together on a GPU.

The outputs of `sep_conv` and `dil_conv` have one shape, so that a launch computes the pointwise
convolutions, the moments or the sum of all of them at once, and what lies between two convolutions
is never written: a separable convolution's second depthwise convolution normalises and rectifies
what it reads. Pools and skip connections, which give every edge the same tensor, are added to the
sum of each edge while that is written. The channels of joint tensors are those of one candidate
after another, the separable ones first, and within a candidate those of one edge after another:
[B, candidates * edges * C, H, W].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.candidate_sum import KINDS, Kinds, Summands
from ltnas.kernels.gpu.depthwise_geometry import Geometry
from ltnas.kernels.gpu.edge_operations import EdgeUnits, Shared
from ltnas.kernels.gpu.layout import dense, empty
from ltnas.kernels.gpu.triton_candidates_gradients import (
    combined_gradient,
    combined_sums,
    shared_gradient,
)
from ltnas.kernels.gpu.triton_candidates_sum import combine
from ltnas.kernels.gpu.triton_normalisation import write_normalised_gradient
from ltnas.kernels.gpu.triton_normalisation_moments import measure
from ltnas.kernels.gpu.triton_pools import write_gradient, write_pools
from ltnas.kernels.gpu.unit_layers import Layer, LayerGradients, compute_layers, restored, saved


def candidates(
    x: Tensor,
    separable: Sequence[tuple[EdgeUnits, EdgeUnits]],
    dilated: Sequence[EdgeUnits],
    shared: Shared,
    scales: Sequence[Tensor],
) -> Tensor:
    """Return the sum of the candidates' scaled outputs, [B, edges * C, H / stride, W / stride].

    All have the same edges, and all normalisations the same settings.

    Args:
        x: state that the edges leave, not rectified, [B, C, H, W].
        separable: units of at most two separable convolutions.
        dilated: units of at most two dilated convolutions.
        shared: pools and skip connection.
        scales: factor of each channel of each candidate, [edges * C], in the order of the
            arguments: separable and dilated convolutions, maximum, mean, skip connection.
    """
    first = (*(pair[0] for pair in separable), *dilated)
    second = tuple(pair[1] for pair in separable)
    if max(len(separable), len(dilated)) > KINDS or not first:
        raise ValueError(f"{len(separable)} separable and {len(dilated)} dilated convolutions")
    if shared.skip and first[0].stride != 1:
        raise ValueError("a skip connection with a stride is a convolution")
    tensors = [unit.depthwise for unit in (*first, *second)]
    tensors += [unit.pointwise for unit in (*first, *second)]
    y: Tensor = _Candidates.apply(first, second, shared, x, *tensors, *scales)
    return y


class _Candidates(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        first: Sequence[EdgeUnits],
        second: Sequence[EdgeUnits],
        shared: Shared,
        x: Tensor,
        *tensors: Tensor,
    ) -> Tensor:
        weights = 2 * len((*first, *second))
        layers, ctx.geometries = compute_layers(x, first, second, learns=False)
        pools = _compute_pools(layers[0], shared, ctx.geometries[0])
        ctx.kinds = Kinds(
            filters=ctx.geometries[0].filters,
            channels=x.shape[1],
            state_step=ctx.geometries[0].x_step,
            separable=len(second),
            dilated=len(first) - len(second),
            pools=sum(norm is not None for norm in (shared.maximum, shared.mean)),
            skip=shared.skip,
        )
        summands = _summands(layers, pools, tensors[weights:], ctx.kinds)
        batch, _, height, width = layers[0].outer.shape
        y = empty(batch, ctx.kinds.filters, height, width, like=x)
        combine(y, summands)
        ctx.save_for_backward(*pools, *tensors[weights:], *saved(layers))
        ctx.shared, ctx.shapes = shared, [tensor.shape for tensor in tensors[:weights]]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        kinds, weights = ctx.kinds, len(ctx.shapes)
        # Read once, as checkpointing demands.
        pooled, moments, taps, *tensors = ctx.saved_tensors
        pools, scales = Pools(pooled, moments, taps), tensors[: kinds.total]
        layers = restored(tensors[kinds.total :])
        _, _, _, needs_x, *needs = ctx.needs_input_grad
        needs_weights = any(needs[:weights])
        gradient, state = dense(gradients[0]), layers[0].x

        # 1. The last normalisation of each candidate, pools and the skip connection.
        summands = _summands(layers, pools, scales, kinds)
        sums = combined_sums(gradient, summands)
        scale_gradients = list(sums.split(kinds.filters)[1:])
        if not needs_x and not needs_weights:
            # The states of the first cells in an architecture step.
            return (*(None,) * (4 + weights), *scale_gradients)
        d_outer = [torch.empty_like(layer.outer) for layer in layers]
        combined_gradient(
            gradient, summands, sums=sums, d_separable=d_outer[-1], d_dilated=d_outer[0]
        )
        dx = empty(*state.shape, like=state) if needs_x else None
        adds = kinds.pools > 0 or kinds.skip
        if dx is not None and adds:
            d_pooled = torch.empty_like(pools.pooled)
            shared_gradient(gradient, summands, sums=sums, d_pooled=d_pooled, d_state=dx)
            _add_pools(d_pooled, pools, ctx.shared, dx, stride=ctx.geometries[0].stride)

        # 2. The second units, and the normalisation before them; then the first units.
        units = LayerGradients(layers, ctx.geometries, ctx.shapes, weights=needs_weights)
        if kinds.separable:
            d_normalised = torch.empty_like(d_outer[1])
            units.propagate(1, d_outer[1], d_normalised)
            write_normalised_gradient(d_normalised, layers[0].outer, layers[0].moments, d_outer[0])
        units.propagate(0, d_outer[0], dx, adds=adds)
        return (None, None, None, dx, *units.of_weights(), *scale_gradients)


def _summands(
    layers: Sequence[Layer], pools: Pools, scales: Sequence[Tensor], kinds: Kinds
) -> Summands:
    """Return what the sum reads; without separable convolutions there is one layer."""
    first, last = layers[0], layers[-1]
    return Summands(
        separable=last.outer,
        dilated=first.outer,
        pooled=pools.pooled,
        state=first.x,
        separable_moments=last.moments,
        dilated_moments=first.moments,
        pooled_moments=pools.moments,
        scales=scales,
        kinds=kinds,
    )


class Pools(NamedTuple):
    """Pools of a state; tensors of no channels if there are none."""

    pooled: Tensor
    """Maximum and mean, not normalised, [B, pools * C, H, W]."""
    moments: Tensor
    """Their normalisation, [4, pools * C]."""
    taps: Tensor
    """Tap that has each maximum, [B, C, H, W]."""


def _compute_pools(layer: Layer, shared: Shared, geometry: Geometry) -> Pools:
    """Return the pools of the state that a layer reads, at its stride."""
    x, (batch, _, height, width) = layer.x, layer.outer.shape
    norms = [norm for norm in (shared.maximum, shared.mean) if norm is not None]
    if not norms:
        return Pools(x[:, :0], layer.moments[:, :0], x[:, :0])
    channels = x.shape[1]
    pooled = empty(batch, len(norms) * channels, height, width, like=x)
    taps = empty(batch, channels, height, width, like=x, dtype=torch.uint8)
    maximum, mean = _slices(pooled, shared, channels)
    steps = {"x_step": geometry.x_step, "y_step": pooled.shape[1]}
    write_pools(x, maximum, mean, taps, **steps, stride=geometry.stride)
    return Pools(pooled, measure(norms, pooled), taps)


def _add_pools(d_pooled: Tensor, pools: Pools, shared: Shared, dx: Tensor, *, stride: int) -> None:
    """Write the gradient of the state through pools, or add it to that of the skip connection."""
    if d_pooled.shape[1]:
        wanted = _slices(d_pooled, shared, dx.shape[1])
        step = d_pooled.shape[1]
        write_gradient(*wanted, pools.taps, dx, step=step, stride=stride, adds=shared.skip)


def _slices(x: Tensor, shared: Shared, channels: int) -> tuple[Tensor | None, Tensor | None]:
    """Return the slices of the maximum and of the mean; None: there is no such pool."""
    maximum = None if shared.maximum is None else x[:, :channels]
    return maximum, None if shared.mean is None else x[:, x.shape[1] - channels :]
