"""What a network costs: parameters and multiply-accumulates."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ltnas.models.branches import BranchedModel


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Parameters without the auxiliary classifier, which is not used after training, and its own.

    Papers differ in which of the two they print; here they are always apart.
    """
    counts = {"parameters": 0, "auxiliary_parameters": 0}
    for name, parameter in model.named_parameters():
        auxiliary = name.startswith("auxiliary_head.")
        counts["auxiliary_parameters" if auxiliary else "parameters"] += parameter.numel()
    return counts


def multiply_accumulates(model: BranchedModel, image_size: int) -> int:
    """Of convolutions and linear layers for one image; NAS papers call them FLOPs."""
    # On the meta device: shapes flow, numbers do not.
    meta = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        meta(torch.empty(1, 3, image_size, image_size, device="meta"))
    return int(counter.get_total_flops()) // 2
