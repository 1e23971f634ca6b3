"""Barlow Twins (Zbontar et al. 2021): two views of an image agree, their features do not repeat."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.data.stream import Batch
from ltnas.distributed.collectives import ranks, sum_over_ranks
from ltnas.objectives import Losses, Model, Objective

EPSILON = 1e-5
"""Added to variances, as BatchNorm does."""


def cross_correlation(first: Tensor, second: Tensor, center: bool) -> Tensor:
    """C of equation 2 (equation 9 of arXiv 2406.16949), over the batch of all ranks.

    Args:
        first: projections of the first views, [B, D]; fp32 or wider.
        second: of the second views, [B, D].
        center: subtract each view's mean over the batch; the equation assumes it done.

    Returns:
        [D, D], in [-1, 1].
    """
    count = len(first) * ranks()
    if center:
        first, second = (z - sum_over_ranks(z.sum(0)) / count for z in (first, second))
    scales = [(sum_over_ranks((z * z).sum(0)) / count + EPSILON).rsqrt() for z in (first, second)]
    products = sum_over_ranks(first.T @ second) / count
    return products * scales[0][:, None] * scales[1][None, :]


def barlow_twins_loss(correlation: Tensor, off_diagonal_weight: float) -> Tensor:
    """Sum of (1 - C_ii)^2 plus lambda times the sum of C_ij^2 for i != j (equation 1)."""
    diagonal = correlation.diagonal()
    on = ((1 - diagonal) ** 2).sum()
    off = (correlation**2).sum() - (diagonal**2).sum()
    return on + off_diagonal_weight * off


def projector(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Linear, normalisation, ReLU, twice, then linear (Zbontar et al., section 2.2)."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs, bias=False),
    )


class BarlowTwins(Objective):
    """No label reaches features or projector; the classifier is a linear probe beside them.

    Args:
        feature_size: of the model.
        hidden: width of the projector.
        outputs: D of the correlation.
        off_diagonal_weight: lambda.
        center: see `cross_correlation`.
    """

    probes = True

    def __init__(
        self, feature_size: int, hidden: int, outputs: int, off_diagonal_weight: float, center: bool
    ) -> None:
        super().__init__()
        self.projector = projector(feature_size, hidden, outputs)
        self.off_diagonal_weight, self.center = off_diagonal_weight, center

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Both views go through the model as one batch of 2 B."""
        features = model.features(torch.cat(batch.views))
        first, second = self._full_precision(self.projector(features)).chunk(2)
        with torch.autocast(first.device.type, enabled=False):
            correlation = cross_correlation(first, second, self.center)
            loss = barlow_twins_loss(correlation, self.off_diagonal_weight)
        logits = model.classifier(features.detach())
        labels = batch.labels.repeat(2)
        return Losses(loss, F.cross_entropy(logits, labels), logits.detach()[: len(batch.labels)])

    @staticmethod
    def _full_precision(projections: Tensor) -> Tensor:
        """At least fp32: C and its loss lose too much in half precision."""
        return projections.to(torch.promote_types(projections.dtype, torch.float32))
