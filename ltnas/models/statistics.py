"""Contexts in which running statistics are not updated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ltnas.distributed.batch_norm import GlobalBatchNorm
from ltnas.losses.classification import Criterion


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Normalise by the batch without updating running statistics.

    The architecture step uses it: only the weight step updates the statistics, so that they belong
    to the weights that the search keeps.
    """
    layers = _layers_with_statistics(model)
    for layer in layers:
        # PyTorch then normalises by the batch in training mode and leaves the buffers alone.
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


@contextmanager
def unmoved_statistics(model: nn.Module) -> Iterator[None]:
    """Repeat a forward pass on a batch without a second update of the running statistics.

    Unlike in `frozen_statistics`, autograd saves the same tensors as without this context, which
    checkpointing needs.
    """
    layers = [layer for layer in _layers_with_statistics(model) if layer.training]
    momenta = [layer.momentum for layer in layers]
    counts = [layer.get_buffer("num_batches_tracked").clone() for layer in layers]
    for layer in layers:
        layer.momentum = 0.0  # the running statistics are "updated" to what they are
    try:
        yield
    finally:
        for layer, momentum, count in zip(layers, momenta, counts, strict=True):
            layer.momentum = momentum
            layer.get_buffer("num_batches_tracked").copy_(count)


@contextmanager
def frozen_criteria(objective: nn.Module) -> Iterator[None]:
    """Compute losses without updating what they count over the batches of a run.

    Args:
        objective: objective whose losses are computed.
    """
    criteria = [
        module
        for module in objective.modules()
        if isinstance(module, Criterion) and module.training
    ]
    for criterion in criteria:
        criterion.eval()
    try:
        yield
    finally:
        for criterion in criteria:
            criterion.train()


def _layers_with_statistics(
    model: nn.Module,
) -> list[nn.modules.batchnorm._BatchNorm | GlobalBatchNorm]:
    return [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm | GlobalBatchNorm)
        and module.track_running_stats
    ]
