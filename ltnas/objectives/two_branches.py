"""Two branches, each taught by a stream of its own, mixed by epoch (BBN, Zhou et al. 2020)."""

from __future__ import annotations

import torch

from ltnas.data.stream import Batch
from ltnas.objectives import Losses, Model, Objective
from ltnas.objectives.classification import Classification


class TwoBranches(Objective):
    """m E(z, y_c) + (1 - m) E(z, y_r), z of features m f_c and (1 - m) f_r (equations 2 and 4).

    Features are joined and doubled, as in the authors' code: at m = 1/2 they are those that the
    classifier sees in a test.

    Args:
        conventional: E of the conventional branch's labels.
        rebalancing: E of the re-balancing branch's; it may weigh classes otherwise, for its stream
            has other counts.
    """

    def __init__(self, conventional: Classification, rebalancing: Classification) -> None:
        super().__init__()
        self.conventional, self.rebalancing = conventional, rebalancing

    def set_progress(self, progress: float) -> None:
        """Both hear it."""
        self.conventional.set_progress(progress)
        self.rebalancing.set_progress(progress)

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Of a batch and its partner, whose shares are m."""
        assert batch.partner is not None
        other, (share,) = batch.partner, batch.partner.shares
        first = model.branch_features(batch.views[0], 0)
        second = model.branch_features(other.views[0], 1)
        own = share.to(first.dtype)
        logits = model.classifier(2 * torch.cat([own * first, (1 - own) * second], 1))
        loss = share * self.conventional.loss(logits, batch.labels)
        loss = loss + (1 - share) * self.rebalancing.loss(logits, other.labels)
        return Losses(loss, None, logits.detach())
