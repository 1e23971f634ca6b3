"""A linear classifier with a learned factor of each class (learnable weight scaling)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ScaledClassifier(nn.Module):
    """Logits f_c (w_c x + b_c), where the factors f start at 1 and learn with w and b.

    Kang et al. (2020, section 4) learn the factors alone; in the code of MiSLAS (Zhong et al. 2021)
    the classifier learns too, and the factors multiply the bias as they do here.

    Args:
        linear: trained classifier.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        self.factors = nn.Parameter(torch.ones_like(linear.bias))  # [C]

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C] of features [B, D]."""
        # Factors times parameters instead of factors times logits: the logits of the folded
        # classifier are then the same to the last bit.
        return F.linear(features, *self._scaled())

    def folded(self) -> nn.Linear:
        """Return the linear classifier with the same logits; it takes over the parameters."""
        weight, bias = self._scaled()
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)
        return self.linear

    def _scaled(self) -> tuple[Tensor, Tensor]:
        """Return the scaled weight [C, D] and bias [C]."""
        return self.factors[:, None] * self.linear.weight, self.factors * self.linear.bias
