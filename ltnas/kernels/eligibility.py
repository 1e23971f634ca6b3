"""Conditions under which the kernels can replace PyTorch modules."""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks

from ltnas.kernels.switch import switched_off

KINDS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
"""Attributes in which PyTorch keeps the hooks of a module."""


def hooked(module: nn.Module) -> bool:
    """Return True if the module, a module inside it or all modules together have hooks.

    The kernels would not call them. `nn.TransformerEncoder` asks the same before its fast path,
    by the same private names: PyTorch has no public ones.
    """
    if any(getattr(global_hooks, f"_global{kind}") for kind in KINDS):
        return True
    return any(getattr(part, kind) for part in module.modules() for kind in KINDS)


def takes(x: Tensor) -> bool:
    """Return True if the kernels can compute with an activation in the current context."""
    if torch.compiler.is_compiling() or switched_off():
        return False
    supported = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)
    return supported and not torch.is_autocast_enabled("cpu")


def measures(layer: nn.BatchNorm2d) -> bool:
    """Return True if a normalisation uses the statistics of the batch, not the running ones."""
    return layer.training or not layer.track_running_stats


def known_to_gpu(layer: nn.Module) -> TypeGuard[nn.BatchNorm2d]:
    """Return True if the GPU kernels compute what a normalisation layer does.

    Distributed training replaces layers by synchronised ones, which they do not know.
    """
    return type(layer) is nn.BatchNorm2d and layer.momentum is not None and measures(layer)


def computable(layer: nn.Module) -> bool:
    """Return True if the kernels compute what a normalisation layer does.

    They know `nn.BatchNorm2d` with exponential averages only (`GlobalBatchNorm`, for example, needs
    the batches of other processes), and have no gradient through running statistics.
    """
    if type(layer) is not nn.BatchNorm2d or layer.momentum is None:
        return False
    return measures(layer) or not torch.is_grad_enabled()
