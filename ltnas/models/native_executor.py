"""Executor that computes a supernet's cell by the CPU kernels, as one autograd function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels import kernels
from ltnas.kernels.calls import to_channels_last
from ltnas.kernels.eligibility import computable, hooked, takes
from ltnas.kernels.normalisation import count_batch
from ltnas.models.cell_design import CellDesign
from ltnas.models.native_backward import backward
from ltnas.models.native_forward import forward
from ltnas.models.native_layout import CellLayout
from ltnas.models.sources import EdgeWeights, Source


class NativeExecutor:
    """Computes a cell by the CPU kernels; see `CellExecutor`.

    Args:
        design: what the edges have.
        sources: edges of the cell, in the order of the states that they leave.
        channels: channels of each state.
        reduction: True for a reduction cell.
    """

    def __init__(
        self, design: CellDesign, sources: Sequence[Source], channels: int, reduction: bool
    ) -> None:
        self.design, self.sources = design, sources
        self.channels, self.reduction = channels, reduction
        self.layout = CellLayout(design, sources, channels, reduction)

    def can_run(self, first: Tensor) -> bool:
        """Return True if there are kernels, and they compute what the modules would."""
        if self.layout.draws or not takes(first) or kernels() is None:
            return False
        if self.layout.reduction and (first.shape[2] % 2 or first.shape[3] % 2):
            return False
        # Hooks would not be called, and other normalisations are unknown to the kernels.
        return not any(map(hooked, self.sources)) and all(map(computable, self.layout.norms()))

    def _layout(self, executed: Sequence[int] | None) -> CellLayout:
        """Return the layout of the candidates that are executed."""
        if executed is None:
            return self.layout
        return CellLayout(self.design, self.sources, self.channels, self.reduction, executed)

    def run(self, first: Tensor, second: Tensor, weights: EdgeWeights) -> Tensor:
        """See `CellExecutor.run`."""
        layout = self._layout(weights.executed)
        # Autograd only follows tensors that are arguments, so the weights are passed beside the
        # layout.
        parameters = layout.weights(first.shape[2:])
        out: Tensor = _Cell.apply(layout, first, second, weights.values, *parameters)
        count_batch(layout.norms())
        return out


class _Cell(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        layout: CellLayout,
        first: Tensor,
        second: Tensor,
        weights: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        # [B, C, H, W] to [B, H, W, C]
        inputs = [to_channels_last(first), to_channels_last(second)]
        out, saved = forward(layout, inputs, weights, [p.contiguous() for p in parameters])
        ctx.layout, ctx.count = layout, len(parameters)
        result = out.permute(0, 3, 1, 2)  # [B, H', W', nodes * C] to [B, nodes * C, H', W']
        # The output contains the intermediate nodes, so these are not saved a second time.
        ctx.save_for_backward(*inputs, weights, result, *parameters, *saved)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        first, second, weights, out, *rest = ctx.saved_tensors
        parameters, saved = rest[: ctx.count], rest[ctx.count :]
        # A copy, as the gradients of the nodes are summed up in it.
        grad_out = gradients[0].permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)
        grad_inputs, grad_weights, grad_parameters = backward(
            layout=ctx.layout,
            inputs=[first, second],
            out=out.permute(0, 2, 3, 1),
            weights=weights,
            parameters=[p.contiguous() for p in parameters],
            saved=saved,
            grad_out=grad_out,
            needs_inputs=ctx.needs_input_grad[1:3],
            needs_parameters=any(ctx.needs_input_grad[4:]),
        )
        grads = (None if x is None else x.permute(0, 3, 1, 2) for x in grad_inputs)
        # In the order of the arguments of `forward`; the layout has no gradient.
        return (None, *grads, grad_weights, *grad_parameters)
