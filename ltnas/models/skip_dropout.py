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
        if not self.training:
            return x
        kept = 1 - self.probability
        return x * ((torch.rand_like(x) < kept) / kept).to(x.dtype)


def set_skip_dropout(module: nn.Module, probability: float) -> None:
    """Set the probability of all skip connections within a module."""
    for part in module.modules():
        if isinstance(part, DroppedSkip):
            part.probability.fill_(probability)
