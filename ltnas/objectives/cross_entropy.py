"""Supervised classification."""

from __future__ import annotations

import torch.nn.functional as F

from ltnas.data.stream import Batch
from ltnas.objectives import Losses, Model, Objective


class CrossEntropy(Objective):
    """Cross-entropy of the logits, and of auxiliary logits times their weight (DARTS, 3.2)."""

    def __init__(self, auxiliary_weight: float = 0.0) -> None:
        super().__init__()
        self.auxiliary_weight = auxiliary_weight

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Mean over the batch's first views."""
        logits, *others = model.predictions(batch.views[0])
        loss = F.cross_entropy(logits, batch.labels)
        for auxiliary in others:
            loss = loss + self.auxiliary_weight * F.cross_entropy(auxiliary, batch.labels)
        return Losses(loss, None, logits.detach())
