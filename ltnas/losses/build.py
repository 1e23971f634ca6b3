"""From a value on the objective axis to its criterion and its weights of classes."""

from __future__ import annotations

import torch
from torch import Tensor

from ltnas import config as c
from ltnas.losses import Criterion
from ltnas.losses.cross_entropy import CrossEntropy
from ltnas.losses.focal import Focal
from ltnas.losses.gradient_harmonising import GradientHarmonising
from ltnas.losses.label_aware_smoothing import LabelAwareSmoothing
from ltnas.losses.ldam import Ldam
from ltnas.losses.logit_adjustment import VectorScaling
from ltnas.losses.weights import effective_number, inverse_frequency


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


def class_weights(config: c.Classification, counts: Tensor) -> Tensor:
    """Of mean 1, float64 [C]."""
    match config.reweight:
        case "inverse_frequency":
            return inverse_frequency(counts, config.exponent)
        case "effective_number":
            return effective_number(counts, config.beta)
        case _:
            return torch.ones_like(counts, dtype=torch.float64)
