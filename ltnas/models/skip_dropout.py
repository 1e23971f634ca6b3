"""Skip connections whose output is dropped in parts while a supernet is trained (P-DARTS)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DroppedSkip(nn.Module):
    """The candidate `skip_connect` at stride 1, followed by dropout (Chen et al. 2019).

    Each call draws anew, from torch's generator: the edges that leave a state drop different
    elements. The probability is a tensor that recorded steps read.
    """

    probability: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("probability", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with elements set to 0 and the others scaled; x itself outside of training."""
        return x * self.factors(x) if self.training else x

    def factors(self, like: Tensor) -> Tensor:
        """Return what a tensor of this shape is multiplied by in training; drawn anew."""
        kept = 1 - self.probability
        # In place: a comparison to Booleans and their division take half as long as the draws.
        return torch.rand_like(like).lt_(kept).div_(kept)


def set_skip_dropout(module: nn.Module, probability: float) -> None:
    """Set the probability of all skip connections within a module."""
    for part in module.modules():
        if isinstance(part, DroppedSkip):
            part.probability.fill_(probability)
