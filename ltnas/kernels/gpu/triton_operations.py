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
from ltnas.kernels.gpu.layout import dense, empty
from ltnas.kernels.gpu.triton_normalisation import apply_moments, write_normalised_gradient
from ltnas.kernels.gpu.unit_layers import LayerGradients, compute_layers, restored, saved


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
        layers, ctx.geometries = compute_layers(x, first, second, learns=True)
        ctx.save_for_backward(factor, *saved(layers))
        ctx.shapes = [tensor.shape for tensor in tensors[: 2 * len((*first, *second))]]
        return apply_moments(layers[-1].outer, layers[-1].moments, factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        factor, *tensors = ctx.saved_tensors
        layers, weights = restored(tensors), len(ctx.shapes)
        _, _, needs_x, _, *needs = ctx.needs_input_grad
        units = LayerGradients(layers, ctx.geometries, ctx.shapes, weights=any(needs[:weights]))
        gradient: Tensor | None = dense(gradients[0])
        # Gradients of shift and scale of each operation, in the order of the arguments.
        learned: list[Tensor] = []
        for number, layer in reversed(list(enumerate(layers))):
            assert gradient is not None
            d_outer = torch.empty_like(layer.outer)
            sums = write_normalised_gradient(gradient, layer.outer, layer.moments, d_outer, factor)
            # [2, operations, C]; views, as a copy in another order would be a launch.
            pairs = sums.view(2, len(ctx.geometries[0].kernels), -1).unbind(1)
            learned = [*(one for pair in pairs for one in pair), *learned]
            gradient = empty(*layer.x.shape, like=layer.x) if number or needs_x else None
            units.propagate(number, d_outer, gradient)
            factor = None  # only the last layer has one
        return (None, None, gradient, None, *units.of_weights(), *learned)
