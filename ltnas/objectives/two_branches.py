"""Two branches, each trained on its own stream, mixed by epoch (BBN, Zhou et al. 2020)."""

from __future__ import annotations

import torch

from ltnas.data.stream import Batch
from ltnas.objectives import Losses, Model, Objective
from ltnas.objectives.classification import Classification


class TwoBranches(Objective):
    """m E(z, y_c) + (1 - m) E(z, y_r) (Zhou et al. 2020, equations 2 and 4).

    The logits z are those of the features 2 [m f_c, (1 - m) f_r] of the conventional and the
    re-balancing branch. The factor 2, which the authors' code has, makes the features at m = 1/2
    equal to those of a test.

    Args:
        conventional: loss E of the conventional branch.
        rebalancing: loss E of the re-balancing branch; its class weights may differ because its
            stream has other class frequencies.
    """

    def __init__(self, conventional: Classification, rebalancing: Classification) -> None:
        super().__init__()
        self.conventional, self.rebalancing = conventional, rebalancing

    def set_progress(self, progress: float) -> None:
        """Update the epoch-dependent state of both losses."""
        self.conventional.set_progress(progress)
        self.rebalancing.set_progress(progress)

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Return the loss of a batch and its partner; the share of the batch is m."""
        assert batch.partner is not None
        partner, (share,) = batch.partner, batch.partner.shares
        # Features of each branch from its own images, [B, feature_size / 2].
        conventional = model.branch_features(batch.views[0], 0)
        rebalancing = model.branch_features(partner.views[0], 1)
        m = share.to(conventional.dtype)
        # [B, C]
        logits = model.classifier(2 * torch.cat([m * conventional, (1 - m) * rebalancing], 1))
        # The share is that of the stream and not a function of progress here, so that a random one
        # is the same on all ranks and in all passes of a second-order step.
        loss = share * self.conventional.loss(logits, batch.labels)
        loss = loss + (1 - share) * self.rebalancing.loss(logits, partner.labels)
        return Losses(loss, None, logits.detach())
