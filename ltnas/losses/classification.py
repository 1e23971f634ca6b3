"""Losses of logits and labels for classification, each returning the loss of every image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas import config as c
from ltnas.distributed.collectives import sum_over_ranks
from ltnas.losses import Criterion


class CrossEntropy(Criterion):
    """-log p_y."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image."""
        return F.cross_entropy(logits, labels, reduction="none")


class Focal(Criterion):
    """-(1 - p_y)^gamma log p_y (equation 4)."""

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image; p_y is that of the loss without class weights."""
        loss = F.cross_entropy(logits, labels, reduction="none")
        # Above 0, for where p_y is 1 and gamma below 1 the slope of the power has no end.
        missing = (-torch.expm1(-loss)).clamp_min(torch.finfo(loss.dtype).eps)
        return missing**self.gamma * loss


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


def log_priors(counts: Tensor) -> Tensor:
    """Log pi of each class, [C], from counts > 0."""
    return torch.log(counts.double() / counts.double().sum())


class VectorScaling(Criterion):
    """Cross-entropy of z_c (n_c / n_max)^gamma + tau log pi_c (Kini et al. 2021, equation 2).

    With gamma = 0 it is logit adjustment (Menon et al. 2021, equation 10), and with tau = 1 too
    balanced softmax (Ren et al. 2020, equation 3): log n_c differs from log pi_c by a constant, of
    which a softmax knows nothing.

    Args:
        counts: images of each class, [C].
        tau: of the additive term.
        gamma: of the multiplicative term.
    """

    factors: Tensor
    terms: Tensor

    def __init__(self, counts: Tensor, tau: float, gamma: float) -> None:
        super().__init__()
        factors = (counts.double() / counts.max()) ** gamma
        self.register_buffer("factors", factors.float(), persistent=False)
        self.register_buffer("terms", (tau * log_priors(counts)).float(), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image; predictions are made of the logits as they are."""
        moved = logits * self.factors.to(logits.dtype) + self.terms.to(logits.dtype)
        return F.cross_entropy(moved, labels, reduction="none")


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


def smoothing(counts: Tensor, head: float, tail: float) -> Tensor:
    """Of each class, [C]: `tail` for the smallest, `head` for the largest, a sine between them
    (equation 6, concave form).
    """
    n = counts.double()
    reach = (n.max() - n.min()).clamp_min(1e-12)
    return tail + (head - tail) * torch.sin((n - n.min()) / reach * math.pi / 2)


class LabelAwareSmoothing(Criterion):
    """Cross-entropy with 1 - epsilon_y of the target on the label, the rest on the other classes
    (equation 4): large classes are to be less sure of themselves.

    Args:
        counts: images of each class, [C].
        head: epsilon of the largest class.
        tail: epsilon of the smallest class.
    """

    smoothing: Tensor

    def __init__(self, counts: Tensor, head: float, tail: float) -> None:
        super().__init__()
        self.register_buffer("smoothing", smoothing(counts, head, tail).float(), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each image."""
        logs = F.log_softmax(logits, dim=1)
        own = logs.gather(1, labels[:, None]).squeeze(1)
        epsilon = self.smoothing[labels].to(logs.dtype)
        others = (logs.sum(1) - own) / (logits.shape[1] - 1)
        return -(1 - epsilon) * own - epsilon * others


def build_criterion(config: c.Classification, counts: Tensor, scale: float) -> Criterion:
    """The criterion.

    Args:
        config: value on the axis.
        counts: images of each class that the loss sees, > 0, [C].
        scale: of the classifier's cosines, if it has them.
    """
    match config:
        case c.Focal():
            return Focal(config.gamma)
        case c.Ldam():
            return Ldam(counts, config.max_margin, scale)
        case c.VectorScaling():
            return VectorScaling(counts, config.tau, config.gamma)
        case c.GradientHarmonising():
            return GradientHarmonising(config.bins, config.momentum)
        case c.LabelAwareSmoothing():
            return LabelAwareSmoothing(counts, config.head, config.tail)
        case _:
            return CrossEntropy()
