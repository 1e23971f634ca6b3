"""Dropping an operation's output, for an image at a time (Larsson et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """In training each image's output is zero with a probability, else it is scaled up for that.

    The probability is a tensor, so that to change it compiles nothing again and waits for nothing.
    """

    probability: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("probability", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        if not self.training:
            return x
        survival = 1 - self.probability
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) < survival
        return x * (kept / survival).to(x.dtype)
