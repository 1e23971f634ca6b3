"""Several `sep_conv` or `dil_conv` of a discrete network that read the same state, on a GPU.

Each launch computes all of them side by side, [B, operations * C, H, W], as the candidates of a
supernet (`triton_candidates`); here every operation has an output and learned normalisations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.depthwise_geometry import MOST
from ltnas.kernels.gpu.edge_operations import EdgeUnits
from ltnas.kernels.gpu.layout import dense, empty, spaced
from ltnas.kernels.gpu.triton_depthwise_forward import convolve
from ltnas.kernels.gpu.triton_depthwise_input import input_gradient
from ltnas.kernels.gpu.triton_depthwise_weights import filter_gradient
from ltnas.kernels.gpu.triton_normalisation import apply_moments, write_normalised_gradient
from ltnas.kernels.gpu.triton_pointwise import matrix_gradient, multiply
from ltnas.kernels.gpu.triton_units import (
    Packed,
    Partials,
    geometry_after,
    geometry_of,
    multiply_and_measure,
    pack,
)


def operations(
    x: Tensor, units: Sequence[Sequence[EdgeUnits]], factors: Sequence[Tensor] | None
) -> Tensor:
    """Return the outputs of all operations side by side, [B, operations * C, H / s, W / s].

    Args:
        x: state that all of them read, not rectified, [B, C, H, W].
        units: one or two units of each operation, of at most four operations, with the same stride
            and the same number of units. Normalisations have learned scale and shift.
        factors: factor of each image of each operation, [B, 1, 1, 1], without gradient; None: 1.
    """
    first = tuple(one[0] for one in units)
    second = tuple(one[1] for one in units if len(one) > 1)
    if len(first) > MOST or len(second) not in (0, len(first)):
        raise ValueError(f"{len(first)} operations, of which {len(second)} have two units")
    both = (*first, *second)
    tensors = [unit.depthwise for unit in both] + [unit.pointwise for unit in both]
    learned = [parameter for unit in both for parameter in (unit.norm.bias, unit.norm.weight)]
    factor = None if factors is None else torch.cat([one.view(1, -1) for one in factors])
    y: Tensor = _Operations.apply(first, second, x, factor, *tensors, *learned)
    return y


class _Operations(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        first: Sequence[EdgeUnits],
        second: Sequence[EdgeUnits],
        x: Tensor,
        factor: Tensor | None,
        *tensors: Tensor,
    ) -> Tensor:
        units = (*first, *second)
        x, x_step = spaced(x)
        batch, channels, height, width = x.shape
        stride, count = first[0].stride, len(first)
        out = (-(-height // stride), -(-width // stride))
        packed = pack(units, count, x.dtype)
        geometry = geometry_of(first, channels=channels, x_step=x_step)
        inner = empty(batch, count * channels, *out, like=x)
        convolve(x, packed.taps, inner, geometry, None)
        norms = [unit.norm for unit in first]
        outer, moments = multiply_and_measure(inner, packed.matrices, norms, learns=True)
        inner2, outer2, moments2, geometry2 = inner, outer, moments, None
        if second:
            # They normalise and rectify what the first units have computed.
            geometry2 = geometry_after(second, len(first))
            inner2 = torch.empty_like(inner)
            convolve(outer, packed.taps2, inner2, geometry2, moments)
            norms = [unit.norm for unit in second]
            outer2, moments2 = multiply_and_measure(inner2, packed.matrices2, norms, learns=True)
        ctx.save_for_backward(x, inner, outer, moments, inner2, outer2, moments2, factor, *packed)
        ctx.geometry, ctx.geometry2 = geometry, geometry2
        ctx.shapes = [tensor.shape for tensor in tensors[: 2 * len(units)]]
        return apply_moments(outer2, moments2, factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, inner, outer, moments, inner2, outer2, moments2, factor, *weights = ctx.saved_tensors
        packed, geometry, geometry2 = Packed(*weights), ctx.geometry, ctx.geometry2
        gradient = dense(gradients[0])
        batch, channels = x.shape[:2]
        pixels, count = gradient.numel() // gradient.shape[1], len(geometry.kernels)
        units = 2 * count if geometry2 else count
        _, _, needs_x, _, *needs = ctx.needs_input_grad
        partials = None
        if any(needs[: 2 * units]):
            partials = Partials(ctx.shapes, pixels, x.device)
        learned: list[Tensor] = []

        # The second units, whose output is the last one if there are any.
        d_outer = torch.empty_like(outer)
        if geometry2:
            d_outer2 = torch.empty_like(outer2)
            sums = write_normalised_gradient(gradient, outer2, moments2, d_outer2, factor)
            learned = list(sums.split(channels))
            d_inner2 = multiply(d_outer2, packed.matrices2, count, transposed=True)
            gradient = torch.empty_like(d_inner2)
            input_gradient(d_inner2, outer, packed.taps2, gradient, geometry2, moments)
            if partials is not None:
                own = partials.of(units + count, 2 * units)
                matrix_gradient(d_outer2, inner2, own, count)
                own = partials.of(count, units)
                filter_gradient(d_inner2, outer, own, geometry2, moments)
            factor = None

        # The first units.
        sums = write_normalised_gradient(gradient, outer, moments, d_outer, factor)
        learned = [*sums.split(channels), *learned]
        d_inner = multiply(d_outer, packed.matrices, count, transposed=True)
        dx = None
        if needs_x:
            dx = empty(batch, *x.shape[1:], like=x)
            input_gradient(d_inner, x, packed.taps, dx, geometry, None)
        found: list[Tensor | None] = [None] * (2 * units)
        if partials is not None:
            matrix_gradient(d_outer, inner, partials.of(units, units + count), count)
            filter_gradient(d_inner, x, partials.of(0, count), geometry, None)
            found = list(partials.sum())
        # `learned` has all shifts and then all scales of the first units, and of the second ones.
        pairs = [learned[start + i + j] for start in range(0, 2 * units, 2 * count)
                 for i in range(count) for j in (0, count)]  # fmt: skip
        return (None, None, dx, None, *found, *pairs)
