"""Global and local mixture consistency, cumulative re-weighting (GLMC, Du et al. 2023)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.axes.schedules import branch_share
from ltnas.data.stream import Batch
from ltnas.objectives import Losses, Model, Objective
from ltnas.objectives.classification import Classification


def disagreement(predicted: Tensor, target: Tensor) -> Tensor:
    """-cos(p, z), mean over a batch; no gradient reaches z (SimSiam, Chen & He 2021).

    Args:
        predicted: p, [B, D].
        target: z, [B, D].
    """
    return -F.cosine_similarity(predicted, target.detach(), dim=1).mean()


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Linear, normalisation, ReLU, linear."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


class MixtureConsistency(Objective):
    """m L_plain + (1 - m) L_weighted + gamma L_consistency (equation 9), m = 1 - p^2.

    An image has two views, one blended with another image, one with a box of it. The plain loss
    is of a classifier that is thrown away, the weighted loss of the model's own, and features of
    both views are to predict one another.

    Args:
        plain: loss without weights.
        weighted: loss with weights of classes.
        feature_size: of the model.
        classifier: the plain loss's.
        width: of projections and predictions.
        consistency: gamma.
    """

    def __init__(
        self,
        plain: Classification,
        weighted: Classification,
        feature_size: int,
        classifier: nn.Module,
        width: int,
        consistency: float,
    ) -> None:
        super().__init__()
        self.plain, self.weighted, self.classifier = plain, weighted, classifier
        self.projector = perceptron(feature_size, width, width)
        self.predictor = perceptron(width, width // 2, width)
        self.consistency = consistency
        self.share = 1.0

    def set_progress(self, progress: float) -> None:
        """M is a function of the epoch alone; it is BBN's."""
        self.share = branch_share("parabolic", progress)

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Both views go through the model as one batch of 2 B."""
        features = model.features(torch.cat(batch.views))
        plain, weighted = self.classifier(features), model.classifier(features)
        projected = self.projector(features)
        predicted = self.predictor(projected)
        loss = features.new_zeros((), dtype=torch.promote_types(features.dtype, torch.float32))
        both = zip(plain.chunk(2), weighted.chunk(2), strict=True)
        for view, (logits, reweighted) in enumerate(both):
            loss = loss + self.share * self.plain.mixed_loss(logits, batch, view)
            loss = loss + (1 - self.share) * self.weighted.mixed_loss(reweighted, batch, view)
        first, second = (p.to(loss.dtype) for p in predicted.chunk(2))
        targets = [z.to(loss.dtype) for z in projected.chunk(2)]
        apart = disagreement(first, targets[1]) + disagreement(second, targets[0])
        logits = weighted.detach()[: len(batch.labels)]
        return Losses(loss + self.consistency * apart, None, logits)
