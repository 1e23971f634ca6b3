"""Supervised classification: a criterion, and weights of classes from some moment of the run."""

from __future__ import annotations

import torch
from torch import Tensor

from ltnas.data.stream import Batch
from ltnas.losses import Criterion
from ltnas.objectives import Losses, Model, Objective


class Classification(Objective):
    """The mean over a batch of weight of class times criterion (Cui et al. 2019, equation 3).

    Over the batch and not over its sum of weights, as PyTorch's own weighted loss has it: there a
    batch of rare classes would count no more than any other, and ranks would differ.

    Args:
        criterion: of logits and labels.
        weights: of classes, [C].
        start: share of the run before which classes are not weighed.
        auxiliary_weight: of the auxiliary logits' loss (DARTS, section 3.2).
    """

    weights: Tensor

    def __init__(
        self, criterion: Criterion, weights: Tensor, start: float = 0.0, auxiliary_weight: float = 0
    ) -> None:
        super().__init__()
        self.criterion, self.start, self.auxiliary_weight = criterion, start, auxiliary_weight
        self.register_buffer("weights", weights.float(), persistent=False)
        self.weighs = start == 0

    def set_progress(self, progress: float) -> None:
        """Whether the moment has come is a function of the epoch alone."""
        self.weighs = progress >= self.start

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Of the batch's first views; of mixed ones, by the shares of both labels."""
        logits, *others = model.predictions(batch.views[0])
        loss = self.mixed_loss(logits, batch)
        for auxiliary in others:
            loss = loss + self.auxiliary_weight * self.mixed_loss(auxiliary, batch)
        return Losses(loss, None, logits.detach())

    def mixed_loss(self, logits: Tensor, batch: Batch, view: int = 0) -> Tensor:
        """Of the logits [B, C] of a view, a scalar in fp32 or wider."""
        if batch.partner is None:
            return self.loss(logits, batch.labels)
        share = batch.partner.shares[view]
        own, other = (self.losses(logits, x) for x in (batch.labels, batch.partner.labels))
        return (share * own + (1 - share) * other).mean()

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of logits [B, C] and labels [B], a scalar in fp32 or wider."""
        return self.losses(logits, labels).mean()

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of each image, [B], weighed by its class; for logits [B, C] and labels [B]."""
        full = logits.to(torch.promote_types(logits.dtype, torch.float32))
        with torch.autocast(logits.device.type, enabled=False):
            losses: Tensor = self.criterion(full, labels)
            return losses * self.weights[labels] if self.weighs else losses
