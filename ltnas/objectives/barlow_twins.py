"""Barlow Twins: self-supervised learning by redundancy reduction (Zbontar et al. 2021)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.data.stream import Batch
from ltnas.distributed.collectives import ranks, sum_over_ranks
from ltnas.objectives import Losses, Model, Objective

EPSILON = 1e-5
"""Constant added to variances, the default of BatchNorm."""


def cross_correlation(first: Tensor, second: Tensor, center: bool) -> Tensor:
    """Return the cross-correlation matrix over the batch of all ranks, [D, D], in [-1, 1].

    Equation 2 of Zbontar et al. (2021), which is equation 9 of arXiv 2406.16949.

    Args:
        first: projections of the first views, [B, D] in fp32 or wider.
        second: projections of the second views, [B, D] in fp32 or wider.
        center: subtract the mean of each view over the batch; the equation assumes centred
            projections.
    """
    count = len(first) * ranks()
    if center:
        # Each view by itself: statistics of both together would not be those of equation 2.
        first, second = (z - sum_over_ranks(z.sum(0)) / count for z in (first, second))
    # Reciprocal standard deviations, [D], and mean products, [D, D].
    scales = [(sum_over_ranks((z * z).sum(0)) / count + EPSILON).rsqrt() for z in (first, second)]
    products = sum_over_ranks(first.T @ second) / count
    return products * scales[0][:, None] * scales[1][None, :]


def barlow_twins_loss(correlation: Tensor, off_diagonal_weight: float) -> Tensor:
    """Return the sum of (1 - C_ii)^2 plus lambda times the sum of C_ij^2, i != j (equation 1).

    Args:
        correlation: cross-correlation matrix C, [D, D].
        off_diagonal_weight: lambda.
    """
    diagonal = correlation.diagonal()
    on = ((1 - diagonal) ** 2).sum()
    # All squares less those of the diagonal, without a mask of [D, D].
    off = (correlation**2).sum() - (diagonal**2).sum()
    return on + off_diagonal_weight * off


def projector(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return the projector, a perceptron with two hidden layers (section 2.2)."""
    return nn.Sequential(
        # No bias in front of batch normalisation, which would subtract it.
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs, bias=False),
    )


class BarlowTwins(Objective):
    """Barlow Twins loss of the model's features, with the classifier as a linear probe.

    Labels influence neither the features nor the projector: the classifier learns on detached
    features.

    Args:
        feature_size: number of features of the model.
        hidden: width of the projector's hidden layers.
        outputs: number of outputs D of the projector.
        off_diagonal_weight: lambda of equation 1.
        center: subtract the mean of each view, see `cross_correlation`.
    """

    probes = True

    def __init__(
        self, feature_size: int, hidden: int, outputs: int, off_diagonal_weight: float, center: bool
    ) -> None:
        super().__init__()
        self.projector = projector(feature_size, hidden, outputs)
        self.off_diagonal_weight, self.center = off_diagonal_weight, center

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Return the losses of the objective and of the probe for a batch with two views."""
        # Both views pass through the model as one batch of 2 B images.
        features = model.features(torch.cat(batch.views))  # [2 B, feature_size]
        first, second = _full_precision(self.projector(features)).chunk(2)  # each [B, D]
        with torch.autocast(first.device.type, enabled=False):
            correlation = cross_correlation(first, second, self.center)
            loss = barlow_twins_loss(correlation, self.off_diagonal_weight)
        # The probe: labels reach the classifier and nothing before it.
        logits = model.classifier(features.detach())
        labels = batch.labels.repeat(2)
        return Losses(loss, F.cross_entropy(logits, labels), logits.detach()[: len(batch.labels)])


def _full_precision(projections: Tensor) -> Tensor:
    """Convert to fp32 or wider: the correlation is inaccurate in half precision."""
    return projections.to(torch.promote_types(projections.dtype, torch.float32))
