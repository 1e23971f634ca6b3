"""Normalisation that uses a batch's statistics without remembering them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ltnas.distributed import GlobalBatchNorm


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Forward passes inside normalise by their batch and leave running statistics as they are.

    For the passes of the architecture step: the weight step alone moves the statistics, so that
    they are those of the weights that are kept.
    """
    layers = [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm | GlobalBatchNorm)
        and module.track_running_stats
    ]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
