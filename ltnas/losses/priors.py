"""Class frequencies that the probabilities of a trained classifier contain."""

from __future__ import annotations

from torch import Tensor

from ltnas import config as c
from ltnas.data.samplers import class_shares, expected_counts
from ltnas.losses.classification import log_priors
from ltnas.losses.weights import class_weights


def assumed_prior(
    objective: c.Classification,
    sampler: c.Sampler,
    adjust: float,
    counts: Tensor,
    progress: float = 1.0,
) -> Tensor:
    """Return the class frequencies that a classifier's probabilities assume, float64 [C], sum 1.

    A cross-entropy with weights w_c on classes that are drawn with frequencies pi_c teaches
    probabilities with the class frequencies w_c pi_c (Elkan 2001, section 2). Logit adjustment, in
    the loss or afterwards, divides them by pi_c^tau (Menon et al. 2021, section 4). What samplers
    and weights do at the end of the training counts, as networks forget what was before.

    Losses with margins, smoothing, a focus on hard images or logits that are multiplied to the end
    have no such frequencies; for them the result is an approximation. So it is for mixed images
    whose partners are drawn by a power of their class counts (`mix.partner_exponent`), because
    partners are not counted.

    Args:
        objective: loss of the last stage of the training.
        sampler: sampler of that stage.
        adjust: tau of the adjustment after the training; 0: none.
        counts: number of training images of each class, all above 0, [C].
        progress: share of the stage that is over when its last epoch begins, in [0, 1]; what starts
            later has no effect.
    """
    drawn = expected_counts(sampler, counts)
    tau = adjust + (objective.tau if isinstance(objective, c.VectorScaling) else 0.0)
    active = sampler if progress >= sampler.start else c.InstanceSampler()
    logarithm = class_shares(active, counts, 1.0).log() - tau * log_priors(drawn)
    if progress >= objective.start:
        logarithm += class_weights(objective, drawn).log()
    return logarithm.softmax(0)
