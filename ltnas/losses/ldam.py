"""Label-distribution-aware margins (Cao et al. 2019)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ltnas.losses import Criterion


def margins(counts: Tensor, largest: float) -> Tensor:
    """Proportional to n^(-1/4) (equation 13), the largest that of the smallest class; [C]."""
    wanted = counts.double() ** -0.25
    return largest * wanted / wanted.max()


class Ldam(Criterion):
    """Cross-entropy in which the label's cosine must win by a margin (equation 14).

    Args:
        counts: images of each class, [C].
        largest: margin.
        scale: that the classifier multiplies cosines by.
    """

    margins: Tensor

    def __init__(self, counts: Tensor, largest: float, scale: float) -> None:
        super().__init__()
        self.register_buffer("margins", scale * margins(counts, largest).float(), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image; logits are scale * cosine."""
        lowered = logits - F.one_hot(labels, logits.shape[1]) * self.margins.to(logits.dtype)
        return F.cross_entropy(lowered, labels, reduction="none")
