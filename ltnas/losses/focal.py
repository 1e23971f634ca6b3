"""Focal loss (Lin et al. 2017), of a softmax."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas.losses import Criterion


class Focal(Criterion):
    """-(1 - p_y)^gamma log p_y (equation 4)."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image; p_y is that of the loss without class weights."""
        loss = F.cross_entropy(logits, labels, reduction="none")
        # Above 0, for where p_y is 1 and gamma below 1 the slope of the power has no end.
        missing = (-torch.expm1(-loss)).clamp_min(torch.finfo(loss.dtype).eps)
        return missing**self.gamma * loss
