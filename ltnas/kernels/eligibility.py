"""Conditions under which the kernels can stand in for PyTorch modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules import module as everywhere

KINDS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def hooked(module: nn.Module) -> bool:
    """Whether someone waits for a call of the module or of one inside it, or of any module.

    As `nn.TransformerEncoder` asks before its fast path: names with an underscore, but PyTorch has
    no others.
    """
    if any(getattr(everywhere, f"_global{kind}") for kind in KINDS):
        return True
    return any(getattr(part, kind) for part in module.modules() for kind in KINDS)


def takes(x: Tensor) -> bool:
    """Whether kernels can compute with an activation, here and now."""
    ours = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    return ours and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()


def measures(layer: nn.BatchNorm2d) -> bool:
    """Whether a normalisation is by the statistics of the batch."""
    return layer.training or not layer.track_running_stats


def computable(layer: nn.Module) -> bool:
    """Whether a normalisation is one that `statistics` has: others look at more than a batch.

    That of running statistics has no gradient here.
    """
    if type(layer) is not nn.BatchNorm2d or layer.momentum is None:
        return False
    return measures(layer) or not torch.is_grad_enabled()
