"""Normalisation that uses a batch's statistics without remembering them, or not a second time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ltnas.distributed.batch_norm import GlobalBatchNorm


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Forward passes inside normalise by their batch and leave running statistics as they are.

    For the passes of the architecture step: the weight step alone moves the statistics, so that
    they are those of the weights that are kept.
    """
    layers = _remembering(model)
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


@contextmanager
def unmoved_statistics(model: nn.Module) -> Iterator[None]:
    """A forward pass inside, of a batch that has been seen, leaves running statistics as they are.

    As `frozen_statistics`, but autograd keeps the same tensors as without.
    """
    layers = [layer for layer in _remembering(model) if layer.training]
    momenta = [layer.momentum for layer in layers]
    counts = [layer.get_buffer("num_batches_tracked").clone() for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum, count in zip(layers, momenta, counts, strict=True):
            layer.momentum = momentum
            layer.get_buffer("num_batches_tracked").copy_(count)


def _remembering(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm | GlobalBatchNorm]:
    return [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm | GlobalBatchNorm)
        and module.track_running_stats
    ]
