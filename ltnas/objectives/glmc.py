"""Global and local mixture consistency with cumulative re-weighting (GLMC, Du et al. 2023)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.data.stream import Batch
from ltnas.objectives import Losses, Model, Objective
from ltnas.objectives.classification import Classification


def disagreement(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean of -cos(p, z) over a batch (SimSiam, Chen and He 2021).

    Args:
        predicted: p, [B, D].
        target: z, [B, D]; receives no gradient.
    """
    # Without the stopped gradient all projections could become equal (Chen and He 2021).
    return -F.cosine_similarity(predicted, target.detach(), dim=1).mean()


def build_heads(kind: str, features: int, width: int) -> tuple[nn.Module, nn.Module]:
    """Build the projector [B, features] -> [B, width] and the predictor [B, width] -> [B, width].

    Args:
        kind: `perceptron` as in SimSiam, or `linear` as in the authors' code.
        features: number of features of the model.
        width: width of projections and predictions.

    Raises:
        ValueError: the kind is unknown.
    """
    match kind:
        case "perceptron":
            return perceptron(features, width, width), perceptron(width, width // 2, width)
        case "linear":
            return nn.Linear(features, width), nn.Linear(width, width)
        case _:
            raise ValueError(f"{kind} is not a value of objective.heads")


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return a perceptron: linear, batch normalisation, ReLU, linear."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )


class MixtureConsistency(Objective):
    """m L_plain + (1 - m) L_weighted + gamma L_consistency (Du et al. 2023, equation 9).

    Every image has two views, one mixed by mixup and one by CutMix. L_plain is the loss of a
    separate classifier that is discarded after training, L_weighted the loss of the model's
    classifier, and L_consistency the disagreement between the views' projected features. The share
    m = 1 - progress^2 moves from the plain to the weighted loss.

    Args:
        plain: loss without class weights.
        weighted: loss with class weights.
        classifier: separate classifier of the plain loss.
        heads: projector and predictor, see `build_heads`.
        consistency: gamma.
    """

    shares: Tensor

    def __init__(
        self,
        plain: Classification,
        weighted: Classification,
        classifier: nn.Module,
        heads: tuple[nn.Module, nn.Module],
        consistency: float,
    ) -> None:
        super().__init__()
        self.plain, self.weighted, self.classifier = plain, weighted, classifier
        self.projector, self.predictor = heads
        self.consistency = consistency
        # m and 1 - m, which a captured step reads: they change in place.
        self.register_buffer("shares", torch.tensor([1.0, 0.0]), persistent=False)

    def set_progress(self, progress: float) -> None:
        """Set m = 1 - progress^2, and tell the losses of the progress."""
        self.plain.set_progress(progress)
        self.weighted.set_progress(progress)
        self.shares[0], self.shares[1] = 1 - progress**2, progress**2

    def forward(self, model: Model, batch: Batch) -> Losses:
        """Return the loss of a batch with two mixed views."""
        # Both views pass through the model as one batch of 2 B images.
        features = model.features(torch.cat(batch.views))  # [2 B, feature_size]
        plain, weighted = self.classifier(features), model.classifier(features)  # [2 B, C]
        projected = self.projector(features)  # [2 B, width]
        predicted = self.predictor(projected)  # [2 B, width]
        # Sums of losses in fp32 even if the features are bf16.
        loss = features.new_zeros((), dtype=torch.promote_types(features.dtype, torch.float32))
        view_logits = zip(plain.chunk(2), weighted.chunk(2), strict=True)
        for view, (plain_logits, weighted_logits) in enumerate(view_logits):
            loss = loss + self.shares[0] * self.plain.mixed_loss(plain_logits, batch, view)
            loss = loss + self.shares[1] * self.weighted.mixed_loss(weighted_logits, batch, view)
        # Each view predicts the projection of the other one.
        first, second = (p.to(loss.dtype) for p in predicted.chunk(2))
        targets = [z.to(loss.dtype) for z in projected.chunk(2)]
        consistency = disagreement(first, targets[1]) + disagreement(second, targets[0])
        # The classifier that is kept, on the first view.
        logits = weighted.detach()[: len(batch.labels)]
        return Losses(loss + self.consistency * consistency, None, logits)
