"""A single `sep_conv` or `dil_conv`, with learned normalisations, by the kernels of the cell."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ltnas.kernels import kernels
from ltnas.kernels.calls import (
    Geometry,
    Normalisation,
    Term,
    Upon,
    count_batch,
    mix,
    mix_products,
    pixels,
    rows,
    statistics,
    unit_backward,
    unit_forward,
)
from ltnas.kernels.eligibility import computable, hooked, measures, takes
from ltnas.models.operations import DepthwiseUnits


def run_operation(operation: nn.Module, x: Tensor) -> Tensor:
    """What the operation makes of [B, C, H, W]; by kernels, if they can."""
    y: Tensor
    if isinstance(operation, DepthwiseUnits) and _runs_natively(operation, x):
        units = operation.units()
        parts = [p for unit in units for layer in unit for p in (layer.weight, layer.bias)]
        y = _Operation.apply(operation, x, *(p for p in parts if p is not None))
        count_batch([layer for _, _, layer in units])
    else:
        y = operation(x)
    return y


def _runs_natively(operation: DepthwiseUnits, x: Tensor) -> bool:
    if not takes(x) or x.shape[2] % 2 or x.shape[3] % 2 or kernels() is None:
        return False
    if hooked(operation):
        return False
    return all(computable(layer) and layer.affine for _, _, layer in operation.units())


def _geometry(depthwise: nn.Conv2d) -> Geometry:
    return Geometry(depthwise.kernel_size[0], depthwise.stride[0], depthwise.dilation[0])


class _Operation(torch.autograd.Function):
    """Its parameters are depthwise, pointwise, scale and shift of each unit."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        operation: DepthwiseUnits,
        x: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        state, own = rows(x), [p.contiguous() for p in parameters]
        inputs = [state]
        norms: list[Normalisation] = []
        for index, (depthwise, _, layer) in enumerate(operation.units()):
            of_depthwise, of_pointwise, *learned = own[4 * index : 4 * index + 4]
            before = norms[-1] if norms else None
            measure = measures(layer)
            p, sums = unit_forward(
                _geometry(depthwise), inputs[-1], before, of_depthwise, of_pointwise, measure
            )
            found = torch.empty(2, layer.num_features, dtype=torch.float64)
            norms.append(Normalisation(*found, *(value.double() for value in learned)))
            statistics(layer, sums, pixels(p), norms[-1])
            inputs.append(p)
        mean, inverse, scale, shift = norms[-1]
        out = torch.empty_like(inputs[-1][0])
        assert scale is not None
        mix([Term(inputs[-1][0], scale, mean, inverse)], out, add=False, shift=shift)
        ctx.geometries = [_geometry(depthwise) for depthwise, _, _ in operation.units()]
        ctx.save_for_backward(*inputs, *own, *(value for norm in norms for value in norm))
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        count = len(ctx.geometries)
        inputs = ctx.saved_tensors[: count + 1]
        own, found = (ctx.saved_tensors[i:][: 4 * count] for i in (count + 1, 5 * count + 1))
        norms = [Normalisation(*found[4 * i : 4 * i + 4]) for i in range(count)]
        learns = any(ctx.needs_input_grad[2:])
        upon = [rows(gradients[0])]
        sums = torch.empty(1, 2, upon[0].shape[3], dtype=torch.float64)
        mean, inverse, scale, _ = norms[-1]
        assert scale is not None
        mix_products(upon[0], [Term(inputs[-1][0], scale, mean, inverse)], [sums[0]])
        of_parameters: list[Tensor | None] = []
        for index in reversed(range(count)):
            x, p = inputs[index : index + 2]
            before = norms[index - 1] if index else None
            gx = torch.empty_like(x) if index else torch.zeros_like(x)
            known = Upon(upon, p, norms[index], sums)
            depthwise, pointwise = own[4 * index : 4 * index + 2]
            geometry = ctx.geometries[index]
            got = unit_backward(geometry, x, before, depthwise, pointwise, known, gx, learns)
            of_norm = (sums[0, 1].to(x.dtype), sums[0, 0].to(x.dtype))
            of_parameters = [got.depthwise, got.pointwise, *of_norm, *of_parameters]
            if got.sums is not None:
                upon, sums = [gx[0]], got.sums
        return (None, gx.permute(0, 3, 1, 2), *of_parameters)
