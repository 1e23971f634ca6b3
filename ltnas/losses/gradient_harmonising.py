"""Gradient harmonising (GHM-C, Li et al. 2019), of a softmax."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas.distributed.collectives import sum_over_ranks
from ltnas.losses import Criterion


class GradientHarmonising(Criterion):
    """Cross-entropy; images whose gradients have a frequent length weigh less (equation 7).

    The paper is about one-against-all classifiers; here the length is 1 - p_y, that of a softmax
    in its label's logit.

    Args:
        bins: that lengths in [0, 1] fall into.
        momentum: of a running count of each; 0 counts the batch alone.
    """

    running: Tensor

    def __init__(self, bins: int, momentum: float) -> None:
        super().__init__()
        self.bins, self.momentum = bins, momentum
        self.register_buffer("running", torch.zeros(bins))

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image."""
        loss = F.cross_entropy(logits, labels, reduction="none")
        place = (-torch.expm1(-loss.detach()) * self.bins).long().clamp(0, self.bins - 1)
        counts = sum_over_ranks(place.bincount(minlength=self.bins).to(self.running.dtype))
        present = counts > 0
        if self.momentum > 0:
            moved = self.momentum * self.running + (1 - self.momentum) * counts
            if self.training:
                self.running.copy_(torch.where(present, moved, self.running))
            seen = moved
        else:
            seen = counts
        weights = counts.sum() / (seen.clamp_min(1e-6) * present.sum())
        return loss * weights[place].to(loss.dtype)
