"""Cost of a network: parameters and multiply-accumulate operations."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Return the numbers of parameters of a model and of its auxiliary classifier.

    The auxiliary classifier is only used in training. Papers differ in whether they count it, so
    the key `parameters` leaves it out and `auxiliary_parameters` has it alone.
    """
    counts = {"parameters": 0, "auxiliary_parameters": 0}
    for name, parameter in model.named_parameters():
        # FairDARTS counts it for six of its seven published networks, DARTS does not.
        auxiliary = name.startswith("auxiliary_head.")
        counts["auxiliary_parameters" if auxiliary else "parameters"] += parameter.numel()
    return counts


def multiply_accumulates(model: nn.Module, image_size: int) -> int:
    """Return the multiply-accumulates of convolutions and linear layers for one image.

    NAS papers call them FLOPs.

    Args:
        model: model to count.
        image_size: side of the image, pixels.
    """
    # The meta device computes shapes only, so that the count takes neither time nor memory.
    meta = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        meta(torch.empty(1, 3, image_size, image_size, device="meta"))
    return int(counter.get_total_flops()) // 2  # a multiply-accumulate is two operations
