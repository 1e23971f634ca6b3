"""`sep_conv` and `dil_conv` with learned normalisations by the kernels of the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ltnas.kernels import gpu, kernels
from ltnas.kernels.calls import pixels, to_channels_last
from ltnas.kernels.convolutions import Geometry, unit_backward, unit_forward
from ltnas.kernels.eligibility import computable, hooked, known_to_gpu, measures, takes
from ltnas.kernels.gpu.edge_operations import EdgeUnits
from ltnas.kernels.normalisation import (
    Normalisation,
    NormalisationBackward,
    Term,
    count_batch,
    mix,
    mix_products,
    statistics,
)
from ltnas.models.operations import DepthwiseUnits

TOGETHER = 4
"""Most operations that the GPU kernels compute together."""


def run_operation(
    operation: nn.Module, x: Tensor, factor: Tensor | None = None, onto: Tensor | None = None
) -> Tensor:
    """Return onto + factor * operation(x), by the kernels if they compute what its modules would.

    Args:
        operation: candidate operation.
        x: input, [B, C, H, W].
        factor: factor of each image, [B, 1, 1, 1]; None: 1.
        onto: addend, [B, C, H', W']; None: 0.
    """
    y = _run(operation, x)
    if onto is None:
        return y if factor is None else y * factor
    # One pass over the memory of the sum, instead of a product and a sum.
    return onto + y if factor is None else torch.addcmul(onto, y, factor)


def _run(operation: nn.Module, x: Tensor) -> Tensor:
    """Apply an operation to [B, C, H, W], by the CPU kernels or its modules."""
    y: Tensor
    if isinstance(operation, DepthwiseUnits) and _runs_natively(operation, x):
        units = operation.units()
        # Weights of both convolutions, scale and shift of each unit; convolutions have no bias.
        parts = [p for unit in units for layer in unit for p in (layer.weight, layer.bias)]
        y = _Operation.apply(operation, x, *(p for p in parts if p is not None))
        count_batch([layer for _, _, layer in units])
    else:
        y = operation(x)
    return y


def _runs_natively(operation: DepthwiseUnits, x: Tensor) -> bool:
    """Return True if the kernels compute what the modules of the operation would."""
    if not takes(x) or x.shape[2] % 2 or x.shape[3] % 2 or kernels() is None:
        return False
    if hooked(operation):
        return False
    return all(computable(layer) and layer.affine for _, _, layer in operation.units())


def run_together(
    operations: Sequence[nn.Module], x: Tensor, factors: Sequence[Tensor | None]
) -> list[Tensor]:
    """Return factor * operation(x) of operations that read one state, by the GPU kernels.

    Args:
        operations: operations.
        x: state, [B, C, H, W].
        factors: factor of each image of each operation, [B, 1, 1, 1]; None: 1.
    """
    found: dict[int, Tensor] = {}
    groups: dict[tuple[int, int, bool], list[int]] = {}
    for number, operation in enumerate(operations):
        if isinstance(operation, DepthwiseUnits) and _joins(operation):
            units = operation.units()
            alike = units[0][0].stride[0], len(units), factors[number] is None
            groups.setdefault(alike, []).append(number)
        else:
            found[number] = run_operation(operation, x, factors[number])
    for numbers in groups.values():
        for start in range(0, len(numbers), TOGETHER):
            chosen = numbers[start : start + TOGETHER]
            units_of = [_edge_units(operations[number]) for number in chosen]
            own = [
                factor for factor in (factors[number] for number in chosen) if factor is not None
            ]
            y = gpu.operations(x, units_of, own or None)
            found |= dict(zip(chosen, gpu.split(y, x.shape[1]), strict=True))
    return [found[number] for number in range(len(operations))]


def _joins(operation: DepthwiseUnits) -> bool:
    """Return True if the GPU kernels compute what the modules of the operation would."""
    norms = [norm for _, _, norm in operation.units()]
    known = all(known_to_gpu(norm) and norm.affine for norm in norms)
    return known and not hooked(operation)


def _edge_units(operation: nn.Module) -> list[EdgeUnits]:
    assert isinstance(operation, DepthwiseUnits)
    return [
        EdgeUnits(
            depthwise=depthwise.weight,
            pointwise=pointwise.weight,
            norm=norm,
            stride=depthwise.stride[0],
            dilation=depthwise.dilation[0],
        )
        for depthwise, pointwise, norm in operation.units()
    ]


def _geometry(depthwise: nn.Conv2d) -> Geometry:
    return Geometry(depthwise.kernel_size[0], depthwise.stride[0], depthwise.dilation[0])


class _Operation(torch.autograd.Function):
    """Parameters are depthwise weights, pointwise weights, scale and shift of each unit."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        operation: DepthwiseUnits,
        x: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        contiguous = [p.contiguous() for p in parameters]
        # Input of each unit and, last, the output of the last one, before their normalisations:
        # [B, H, W, C], then [1, B, H', W', C].
        inputs = [to_channels_last(x)]
        norms: list[Normalisation] = []
        for index, (convolution, _, layer) in enumerate(operation.units()):
            depthwise, pointwise, *learned = contiguous[4 * index : 4 * index + 4]
            before = norms[-1] if norms else None
            geometry, measure = _geometry(convolution), measures(layer)
            output, sums = unit_forward(
                geometry=geometry,
                x=inputs[-1],
                before=before,
                depthwise=depthwise,
                pointwise=pointwise,
                measure=measure,
            )
            # float64 [C] each, written by `statistics`.
            mean, inverse = torch.empty(2, layer.num_features, dtype=torch.float64)
            norms.append(Normalisation(mean, inverse, *(value.double() for value in learned)))
            statistics(layer, sums, pixels(output), norms[-1])
            inputs.append(output)
        # Apply the last normalisation.
        mean, inverse, scale, shift = norms[-1]
        out = torch.empty_like(inputs[-1][0])
        assert scale is not None
        mix([Term(inputs[-1][0], scale, mean, inverse)], out, add=False, shift=shift)
        ctx.geometries = [_geometry(depthwise) for depthwise, _, _ in operation.units()]
        ctx.save_for_backward(*inputs, *contiguous, *(value for norm in norms for value in norm))
        return out.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        # In the order in which `forward` saved them: for each unit one input, four parameters and
        # four tensors of its normalisation, and one more tensor, the last output.
        count = len(ctx.geometries)
        saved = ctx.saved_tensors  # read once, as checkpointing demands
        inputs, parameters = saved[: count + 1], saved[count + 1 : 5 * count + 1]
        values = saved[5 * count + 1 :]
        norms = [Normalisation(*values[4 * i : 4 * i + 4]) for i in range(count)]
        needs_weights = any(ctx.needs_input_grad[2:])
        # Gradient of the last normalised output, and its sums for the backward pass through it.
        grads = [to_channels_last(gradients[0])]
        sums = torch.empty(1, 2, grads[0].shape[3], dtype=torch.float64)
        mean, inverse, scale, _ = norms[-1]
        assert scale is not None
        mix_products(grads[0], [Term(inputs[-1][0], scale, mean, inverse)], [sums[0]])
        grad_parameters: list[Tensor | None] = []
        for index in reversed(range(count)):
            x, output = inputs[index : index + 2]
            # The first unit adds to the gradient of its input; others write theirs.
            grad_x = torch.empty_like(x) if index else torch.zeros_like(x)
            unit = unit_backward(
                geometry=ctx.geometries[index],
                x=x,
                before=norms[index - 1] if index else None,
                depthwise=parameters[4 * index],
                pointwise=parameters[4 * index + 1],
                after=NormalisationBackward(grads, output, norms[index], sums),
                grad_x=grad_x,
                needs_weights=needs_weights,
            )
            # The gradient of a scale is the sum of grad * normalised, of a shift that of grad.
            grad_scale, grad_shift = sums[0, 1].to(x.dtype), sums[0, 0].to(x.dtype)
            grad_unit = [unit.depthwise, unit.pointwise, grad_scale, grad_shift]
            grad_parameters = [*grad_unit, *grad_parameters]
            if unit.sums is not None:
                grads, sums = [grad_x[0]], unit.sums
        return (None, grad_x.permute(0, 3, 1, 2), *grad_parameters)
