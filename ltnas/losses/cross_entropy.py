"""Plain cross-entropy."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ltnas.losses import Criterion


class CrossEntropy(Criterion):
    """-log p_y."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image."""
        return F.cross_entropy(logits, labels, reduction="none")
