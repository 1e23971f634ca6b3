"""Batch normalisation with the statistics of the batch of all ranks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ltnas.distributed.collectives import ranks, sum_over_ranks


class GlobalBatchNorm(nn.Module):
    """Synchronised batch normalisation for CPUs, which `nn.SyncBatchNorm` does not support.

    Args:
        layer: layer to replace; its parameters and buffers are taken over with their names.
    """

    def __init__(self, layer: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__()
        self.eps = layer.eps
        # None stands for a cumulative average in PyTorch, which is not offered here.
        self.momentum = 0.1 if layer.momentum is None else layer.momentum
        self.track_running_stats = layer.track_running_stats
        self.weight, self.bias = layer.weight, layer.bias
        for name, buffer in layer.named_buffers():
            self.register_buffer(name, buffer)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise [B, C] or [B, C, H, W] per channel."""
        mean, variance = self._batch_statistics(x) if self.training else self._running_statistics()
        shape = (1, -1, *[1] * (x.dim() - 2))
        y = (x - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        return y if self.weight is None else y * self.weight.view(shape) + self.bias.view(shape)

    def _running_statistics(self) -> tuple[Tensor, Tensor]:
        return self.get_buffer("running_mean"), self.get_buffer("running_var")

    def _batch_statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance over all ranks, each [C]; update the running statistics."""
        axes = [0, *range(2, x.dim())]  # all but the channels
        count = x.numel() // x.shape[1] * ranks()
        # Two passes: the variance about the mean is more accurate than the mean of squares.
        mean = sum_over_ranks(x.sum(axes)) / count
        shape = (1, -1, *[1] * (x.dim() - 2))
        variance = sum_over_ranks(((x - mean.view(shape)) ** 2).sum(axes)) / count
        if self.track_running_stats:
            with torch.no_grad():
                running_mean, running_var = self._running_statistics()
                running_mean.lerp_(mean, self.momentum)
                # The running variance is the unbiased one, as in torch.
                running_var.lerp_(variance * count / (count - 1), self.momentum)
                self.get_buffer("num_batches_tracked").add_(1)
        return mean, variance


def synchronise_batch_norm(model: nn.Module, accelerator: str) -> None:
    """Replace every batch normalisation below `model` by a synchronised one, in place.

    Args:
        model: module whose descendants are replaced.
        accelerator: kind of device, such as `cpu` or `cuda`.
    """
    # A list, because the loop changes the tree of modules.
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.modules.batchnorm._BatchNorm):
                setattr(module, name, _synchronised(child, accelerator))


def _synchronised(layer: nn.modules.batchnorm._BatchNorm, accelerator: str) -> nn.Module:
    if accelerator == "cpu":
        return GlobalBatchNorm(layer)
    converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(layer)
    return converted
