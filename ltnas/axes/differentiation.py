"""Gradients of losses with respect to named tensors."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Key = TypeVar("Key", bound=Hashable)
Tensors = dict[str, Tensor]
Average = Callable[[Sequence[Tensor]], list[Tensor]]
"""Average of gradients over ranks: `mean_over_ranks`, or `list` for one process."""


def gradients(
    loss: Tensor, parameters: Mapping[Key, Tensor], average: Average
) -> dict[Key, Tensor]:
    """Gradient of the loss with respect to parameters, averaged over ranks.

    It is zero for parameters that the loss does not depend on. No other gradient is computed.
    """
    values = list(parameters.values())
    # Zeros instead of None, because all ranks must exchange the same tensors.
    raw: Sequence[Tensor] = [torch.zeros_like(value) for value in values]
    if loss.requires_grad:  # it may be a constant for all of them
        raw = torch.autograd.grad(loss, values, allow_unused=True, materialize_grads=True)
    return dict(zip(parameters, average(raw), strict=True))


def leaves(tensors: Tensors) -> Tensors:
    """Return detached tensors that require gradients."""
    return {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}


def detached(tensors: Tensors) -> Tensors:
    """Return tensors without their history."""
    return {name: tensor.detach() for name, tensor in tensors.items()}
