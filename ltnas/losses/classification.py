"""Losses for classification: modules that map logits and labels to the loss of every image.

Notation: z are the logits of an image, p = softmax(z), y is its label, C the number of classes,
n_c the number of images of class c that the loss sees, and pi_c = n_c / sum(n). In margins and
smoothing, n_c is the number of training images instead.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas import config as c
from ltnas.distributed.collectives import sum_over_ranks


class Criterion(nn.Module):
    """Base class of the losses for classification."""

    def set_progress(self, progress: float) -> None:
        """Tell the loss which share of the run, in [0, 1), is over; few losses depend on it."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every image, [B].

        Args:
            logits: [B, C].
            labels: class numbers, int64 [B].
        """
        raise NotImplementedError


def build_criterion(
    config: c.Classification, counts: Tensor, scale: float, class_sizes: Tensor | None = None
) -> Criterion:
    """Build the loss of an objective.

    Args:
        config: value on the objective axis.
        counts: number of images of each class that the loss sees, all above 0, [C].
        scale: factor that the classifier multiplies cosines by; 1 for other classifiers.
        class_sizes: number of different training images of each class, [C], on which margins and
            smoothing depend: a class of few images can be overfitted however often they are shown.
            None if they are the counts.

    Raises:
        TypeError: the objective has no such loss.
    """
    # Subclasses share a loss: InverseFrequency, ClassBalanced and MixtureConsistency are
    # cross-entropies, LogitAdjusted and BalancedSoftmax are VS losses, and LdamDrw is LDAM.
    sizes = counts if class_sizes is None else class_sizes
    match config:
        case c.CrossEntropy():
            return CrossEntropy()
        case c.Focal():
            return Focal(config.gamma)
        case c.Ldam():
            return Ldam(sizes, config.max_margin, scale)
        case c.VectorScaling():
            return VectorScaling(counts, config.tau, config.gamma, config.multiplicative_end)
        case c.GradientHarmonising():
            return GradientHarmonising(config.bins, config.momentum)
        case c.LabelAwareSmoothing():
            return LabelAwareSmoothing(sizes, config.head, config.tail)
        case _:
            raise TypeError(f"{config} is not a classification loss on the objective axis")


class CrossEntropy(Criterion):
    """Cross-entropy, -log p_y."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every image, [B]."""
        return F.cross_entropy(logits, labels, reduction="none")


class Focal(Criterion):
    """Focal loss, -(1 - p_y)^gamma log p_y (Lin et al. 2017, equation 4).

    Args:
        gamma: exponent; 0 gives the cross-entropy.
    """

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every image, [B]; class weights do not enter p_y."""
        loss = F.cross_entropy(logits, labels, reduction="none")
        # 1 - p_y, kept above 0: for gamma < 1 the slope of the power is infinite at 0.
        error = (-torch.expm1(-loss)).clamp_min(torch.finfo(loss.dtype).eps)
        return error**self.gamma * loss


class Ldam(Criterion):
    """LDAM: cross-entropy with a margin for the label's cosine (Cao et al. 2019, equation 14).

    The cross-entropy of s (cos_c - Delta_c [c = y]), with cosines cos, the scale s of the
    classifier and the margins Delta of `margins`.

    Args:
        counts: number of training images of each class, [C].
        largest: margin of the smallest class.
        scale: factor s that the classifier multiplies cosines by.
    """

    margins: Tensor

    def __init__(self, counts: Tensor, largest: float, scale: float) -> None:
        super().__init__()
        self.register_buffer("margins", scale * margins(counts, largest).float(), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every image, [B]; logits are s times the cosines."""
        # The margin is subtracted from the label's logit only, [B, C]. `F.one_hot` would read the
        # labels on the host, for which a recorded step cannot wait.
        own = labels[:, None] == torch.arange(logits.shape[1], device=labels.device)
        lowered = logits - own * self.margins.to(logits.dtype)
        return F.cross_entropy(lowered, labels, reduction="none")


def margins(counts: Tensor, largest: float) -> Tensor:
    """Return LDAM's margins, proportional to n_c^(-1/4) (Cao et al. 2019, equation 13), [C].

    Args:
        counts: number of training images of each class, [C].
        largest: margin of the smallest class.
    """
    # Divided by the largest, so that `largest` is the margin of the smallest class.
    relative = counts.double() ** -0.25
    return largest * relative / relative.max()


class VectorScaling(Criterion):
    """Cross-entropy of z_c (n_c / n_max)^gamma + tau log pi_c (Kini et al. 2021, equation 2).

    With gamma = 0, this is logit adjustment (Menon et al. 2021, equation 10). With tau = 1 as
    well, it is balanced softmax (Ren et al. 2020, equation 3), because log n_c and log pi_c differ
    by a constant.

    Truncated logit adjustment (TLA, Wang et al. 2023) leaves out the multiplicative term in the
    last epochs, those with class weights.

    Args:
        counts: number of images of each class, [C].
        tau: factor of the additive term.
        gamma: exponent of the multiplicative term.
        end: share of the run from which on there is no multiplicative term; 1: it stays.
    """

    factors: Tensor
    current_factors: Tensor
    terms: Tensor

    def __init__(self, counts: Tensor, tau: float, gamma: float, end: float = 1.0) -> None:
        super().__init__()
        self.end = end
        # Buffers follow the module to its device. They are not saved, since counts give them.
        factors = (counts.double() / counts.max()) ** gamma
        self.register_buffer("factors", factors.float(), persistent=False)
        # They change in place, as a captured step keeps to one path.
        self.register_buffer("current_factors", self.factors.clone(), persistent=False)
        self.register_buffer("terms", (tau * log_priors(counts)).float(), persistent=False)

    def set_progress(self, progress: float) -> None:
        """Leave out the multiplicative term from `end` on."""
        if progress < self.end:
            self.current_factors.copy_(self.factors)
        else:
            self.current_factors.fill_(1.0)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every image, [B]; predictions use the unadjusted logits."""
        # [B, C] times [C] plus [C]
        adjusted = logits * self.current_factors.to(logits.dtype) + self.terms.to(logits.dtype)
        return F.cross_entropy(adjusted, labels, reduction="none")


def log_priors(counts: Tensor) -> Tensor:
    """Return log pi_c of each class, float64 [C], for counts above 0, [C]."""
    return torch.log(counts.double() / counts.double().sum())


class GradientHarmonising(Criterion):
    """GHM-C: cross-entropy divided by the density of gradient norms (Li et al. 2019, equation 7).

    The paper treats binary classifiers; here the norm is 1 - p_y, that of the gradient of a
    softmax with respect to the label's logit. An image in a bin of k images has the weight
    B / (k * number of bins that are not empty).

    Args:
        bins: number of bins that the norms in [0, 1] are counted in.
        momentum: momentum of the running count of each bin; 0 counts the current batch only.
    """

    running: Tensor

    def __init__(self, bins: int, momentum: float) -> None:
        super().__init__()
        self.bins, self.momentum = bins, momentum
        self.register_buffer("running", torch.zeros(bins))

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every image, [B]; updates the running counts in training mode."""
        loss = F.cross_entropy(logits, labels, reduction="none")
        # Bin of each image, [B], and images of all ranks in each bin, [bins].
        place = (-torch.expm1(-loss.detach()) * self.bins).long().clamp(0, self.bins - 1)
        # Without gradient: the density is a weight, not part of the loss.
        # `bincount` would read its result's size on the host.
        inside = place[:, None] == torch.arange(self.bins, device=place.device)  # [B, bins]
        counts = sum_over_ranks(inside.sum(0).to(self.running.dtype))
        present = counts > 0  # bins that are not empty, [bins]
        # Bins without images keep their running count, as a batch says nothing about them.
        smoothed = counts
        if self.momentum > 0:
            smoothed = self.momentum * self.running + (1 - self.momentum) * counts
            if self.training:
                self.running.copy_(torch.where(present, smoothed, self.running))
        # One weight for each bin, [bins].
        weights = counts.sum() / (smoothed.clamp_min(1e-6) * present.sum())
        return loss * weights[place].to(loss.dtype)


class LabelAwareSmoothing(Criterion):
    """Cross-entropy with label smoothing that depends on the class (Zhong et al. 2021, equation 4).

    The target of an image is 1 - epsilon_y for its label and epsilon_y / (C - 1) for each other
    class, with epsilon of `smoothing`: predictions of large classes become less confident.

    Args:
        counts: number of training images of each class, [C].
        head: epsilon of the largest class.
        tail: epsilon of the smallest class.
    """

    smoothing: Tensor

    def __init__(self, counts: Tensor, head: float, tail: float) -> None:
        super().__init__()
        self.register_buffer("smoothing", smoothing(counts, head, tail).float(), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of every image, [B]."""
        log_p = F.log_softmax(logits, dim=1)  # [B, C]
        log_p_label = log_p.gather(1, labels[:, None]).squeeze(1)
        epsilon = self.smoothing[labels].to(log_p.dtype)  # [B]
        mean_of_others = (log_p.sum(1) - log_p_label) / (logits.shape[1] - 1)
        return -(1 - epsilon) * log_p_label - epsilon * mean_of_others


def smoothing(counts: Tensor, head: float, tail: float) -> Tensor:
    """Return epsilon of each class (Zhong et al. 2021, equation 6, concave form), float64 [C].

    epsilon_c = tail + (head - tail) sin(pi / 2 (n_c - n_min) / (n_max - n_min))

    Args:
        counts: number of training images of each class, [C].
        head: epsilon of the largest class.
        tail: epsilon of the smallest class.
    """
    n = counts.double()
    # Equal counts have no largest class: all get the smoothing of the tail.
    reach = (n.max() - n.min()).clamp_min(1e-12)
    return tail + (head - tail) * torch.sin((n - n.min()) / reach * math.pi / 2)
