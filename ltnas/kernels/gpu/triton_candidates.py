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
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.candidate_sum import KINDS, Kinds, Summands
from ltnas.kernels.gpu.edge_operations import EdgeUnits, Shared
from ltnas.kernels.gpu.layout import dense, empty, spaced
from ltnas.kernels.gpu.triton_candidates_gradients import (
    combined_gradient,
    combined_sums,
    shared_gradient,
)
from ltnas.kernels.gpu.triton_candidates_sum import combine
from ltnas.kernels.gpu.triton_depthwise_forward import convolve
from ltnas.kernels.gpu.triton_depthwise_input import input_gradient
from ltnas.kernels.gpu.triton_depthwise_weights import filter_gradient
from ltnas.kernels.gpu.triton_normalisation import measure, write_normalised_gradient
from ltnas.kernels.gpu.triton_pointwise import matrix_gradient, multiply
from ltnas.kernels.gpu.triton_pools import write_gradient, write_pools
from ltnas.kernels.gpu.triton_units import (
    Packed,
    Partials,
    geometry_after,
    geometry_of,
    multiply_and_measure,
    pack,
)


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
        units, scales = (*first, *second), tensors[2 * (len(first) + len(second)) :]
        x, x_step = spaced(x)
        batch, _, height, width = x.shape
        filters, stride = len(first[0].pointwise), first[0].stride
        out = (-(-height // stride), -(-width // stride))
        packed = pack(units, len(first), x.dtype)
        geometry = geometry_of(first, channels=x.shape[1], x_step=x_step)
        inner = empty(batch, len(first) * filters, *out, like=x)
        convolve(x, packed.taps, inner, geometry, None)
        outer, moments = multiply_and_measure(
            inner, packed.matrices, [unit.norm for unit in first], learns=False
        )
        inner2, outer2, moments2 = inner[:, :0], outer, moments
        geometry2 = None
        if second:
            # They normalise and rectify the first channels of what the first units have computed.
            geometry2 = geometry_after(second, len(first))
            inner2 = empty(batch, len(second) * filters, *out, like=x)
            convolve(outer, packed.taps2, inner2, geometry2, moments)
            outer2, moments2 = multiply_and_measure(
                inner2, packed.matrices2, [u.norm for u in second], learns=False
            )
        layers = [norm for norm in (shared.maximum, shared.mean) if norm is not None]
        pooled, moments0, taps = x[:, :0], moments, x[:, :0]
        if layers:
            channels = x.shape[1]
            pooled = empty(batch, len(layers) * channels, *out, like=x)
            taps = empty(batch, channels, *out, like=x, dtype=torch.uint8)
            both, step = _pools_of(pooled, shared, channels), pooled.shape[1]
            write_pools(x, *both, taps, x_step=x_step, y_step=step, stride=stride)
            moments0 = measure(layers, pooled)
        result = empty(batch, filters, *out, like=x)
        kinds = Kinds(
            filters=filters,
            channels=x.shape[1],
            state_step=x_step,
            separable=len(second),
            dilated=len(first) - len(second),
            pools=len(layers),
            skip=shared.skip,
        )
        summands = Summands(outer2, outer, pooled, x, moments2, moments, moments0, scales, kinds)
        combine(result, summands)
        saved = (
            x,
            inner,
            outer,
            moments,
            inner2,
            outer2,
            moments2,
            pooled,
            moments0,
            taps,
            *packed,
        )
        ctx.save_for_backward(*saved, *scales)
        ctx.geometry, ctx.geometry2, ctx.shared, ctx.kinds = geometry, geometry2, shared, kinds
        ctx.shapes = [tensor.shape for tensor in tensors]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, inner, outer, moments, inner2, outer2, moments2, *rest = ctx.saved_tensors
        (pooled, moments0, pool_taps), packed, scales = rest[:3], Packed(*rest[3:7]), rest[7:]
        shared, kinds = ctx.shared, ctx.kinds
        geometry, geometry2 = ctx.geometry, ctx.geometry2
        firsts, seconds = len(geometry.kernels), len(geometry2.kernels) if geometry2 else 0
        units = firsts + seconds
        gradient = dense(gradients[0])
        batch, filters, height, width = gradient.shape
        pixels, inputs = batch * height * width, x.shape[1]
        *_, needs_x = ctx.needs_input_grad[:4]
        needs = ctx.needs_input_grad[4:]
        partials = None
        if any(needs[: 2 * units]):
            partials = Partials(ctx.shapes[: 2 * units], pixels, x.device)

        # 1. The last normalisation of each candidate.
        summands = Summands(outer2, outer, pooled, x, moments2, moments, moments0, scales, kinds)
        sums = combined_sums(gradient, summands)
        scale_gradients = list(sums.split(filters)[1:])
        if not needs_x and partials is None:
            # The states of the first cells in an architecture step.
            return (None,) * (4 + 2 * units) + tuple(scale_gradients)
        d_outer = torch.empty_like(outer)
        d_outer2 = torch.empty_like(outer2) if geometry2 else d_outer
        more = {"sums": sums, "d_separable": d_outer2, "d_dilated": d_outer}
        combined_gradient(gradient, summands, **more)
        grad_x = empty(batch, *x.shape[1:], like=x) if needs_x else None
        adds = False
        if grad_x is not None and len(scales) > firsts:
            d_pooled = torch.empty_like(pooled)
            more = {"sums": sums, "d_pooled": d_pooled, "d_state": grad_x}
            shared_gradient(gradient, summands, **more)
            adds = shared.skip
            if kinds.pools:
                wanted = _pools_of(d_pooled, shared, inputs)
                stride = geometry.stride
                write_gradient(
                    *wanted,
                    pool_taps,
                    grad_x,
                    step=d_pooled.shape[1],
                    stride=stride,
                    adds=adds,
                )
                adds = True

        # 2. The second units, and the normalisation before them.
        if geometry2:
            groups = seconds * filters // inputs
            d_inner2 = multiply(d_outer2, packed.matrices2, groups, transposed=True)
            d_normalised = torch.empty_like(d_outer2)
            input_gradient(d_inner2, outer, packed.taps2, d_normalised, geometry2, moments)
            if partials is not None:
                own = partials.of(units + firsts, 2 * units)
                matrix_gradient(d_outer2, inner2, own, groups)
                filter_gradient(d_inner2, outer, partials.of(firsts, units), geometry2, moments)
            write_normalised_gradient(d_normalised, outer, moments, d_outer)

        # 3. The first units.
        groups = firsts * filters // inputs
        d_inner = multiply(d_outer, packed.matrices, groups, transposed=True)
        if grad_x is not None:
            input_gradient(d_inner, x, packed.taps, grad_x, geometry, None, adds=adds)
        if partials is not None:
            own = partials.of(units, units + firsts)
            matrix_gradient(d_outer, inner, own, groups)
            filter_gradient(d_inner, x, partials.of(0, firsts), geometry, None)

        weight_gradients: list[Tensor | None] = [None] * (2 * units)
        if partials is not None:
            weight_gradients = list(partials.sum())
        return (None, None, None, grad_x, *weight_gradients, *scale_gradients)


def _pools_of(x: Tensor, shared: Shared, channels: int) -> tuple[Tensor | None, Tensor | None]:
    """Return the slices of the maximum and of the mean; None: there is no such pool."""
    maximum = None if shared.maximum is None else x[:, :channels]
    return maximum, None if shared.mean is None else x[:, x.shape[1] - channels :]
