"""Hooks on modules, which whatever runs a module's mathematics elsewhere would pass by."""

from __future__ import annotations

from torch import nn
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
