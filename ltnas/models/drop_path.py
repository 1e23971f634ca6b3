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

    def forward(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """[B, C, H, W] to the same; added to `onto`, if there is one, in the same pass."""
        if not self.training:
            return x if onto is None else onto + x
        survival = 1 - self.probability
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) < survival
        factor = (kept / survival).to(x.dtype)
        return x * factor if onto is None else torch.addcmul(onto, x, factor)
