"""Sums and means over the processes of a run.

Gradients are averaged explicitly (`mean_over_ranks`) instead of by the hooks of a DDP wrapper:
hooks are not called by `torch.autograd.grad`, and every rank would end up with its own
architecture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx

# A plain variable and no context variable: backward passes on a GPU run in threads of their own.
_alone = False


@contextmanager
def alone() -> Iterator[None]:
    """Compute in this process by itself; the other ranks take no part in sums and means."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


def ranks() -> int:
    """Return the number of processes that share each batch."""
    if _alone:
        return 1
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if ranks() > 1 else 0


class _Sum(torch.autograd.Function):
    """Sum over ranks; its gradient is summed, too, since every rank's loss depends on the sum."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        # `all_reduce` overwrites its argument, which belongs to autograd.
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        # Collectives need dense tensors, and a gradient may be an expanded one.
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


def sum_over_ranks(x: Tensor) -> Tensor:
    """Return the sum of `x` over all ranks; differentiable."""
    if ranks() == 1:
        return x
    total: Tensor = _Sum.apply(x)
    return total


def mean_over_ranks(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the mean of each tensor over all ranks, computed by one all-reduce."""
    if ranks() == 1:
        return list(tensors)
    # One large exchange is faster than many small ones.
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    parts = (flat / ranks()).split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]
