"""Class weights as functions of the number of images that a loss sees, [C]."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ltnas import config as c


def class_weights(config: c.Classification, counts: Tensor) -> Tensor:
    """Return the class weights of an objective, float64 [C].

    Args:
        config: value on the objective axis; `reweight` chooses the formula and
            `weight_normalisation` the scale.
        counts: number of images of each class, all above 0, [C].

    Raises:
        ValueError: the value of `reweight` or `weight_normalisation` is unknown.
    """
    weights = _relative_weights(config, counts)
    match config.weight_normalisation:
        case "classes":
            return weights
        # With `batch`, the sum of a batch's weights divides its loss, so that any scale would do.
        case "images" | "batch":
            return with_mean_one_over_images(weights, counts)
        case name:
            raise ValueError(f"{name} is not a value of objective.weight_normalisation")


def with_mean_one_over_images(weights: Tensor, counts: Tensor) -> Tensor:
    """Return the weights times a factor that makes sum(n_c w_c) / sum(n_c) one, float64 [C].

    The expected weight of an image of the stream is 1 then. Weights with mean 1 over classes are
    0.171 on average over the images of CIFAR-10-LT at exp0.01 with beta = 0.9999: a loss divided
    by the batch size becomes that much smaller when they start.

    Args:
        weights: class weights w, [C].
        counts: number of images n of each class, all above 0, [C].
    """
    n = counts.double()
    return weights.double() * n.sum() / (n * weights).sum()


def _relative_weights(config: c.Classification, counts: Tensor) -> Tensor:
    """Return the class weights with mean 1 over classes, float64 [C]."""
    match config.reweight:
        case "inverse_frequency":
            return inverse_frequency(counts, config.exponent)
        case "effective_number":
            return effective_number(counts, config.beta)
        case "none":
            return torch.ones_like(counts, dtype=torch.float64)
        case name:
            raise ValueError(f"{name} is not a value of objective.reweight")


def inverse_frequency(counts: Tensor, exponent: float) -> Tensor:
    """Return weights proportional to n^-exponent, float64 [C].

    Args:
        counts: number of images n of each class, all above 0, [C].
        exponent: 1 for the inverse frequency, 1/2 for its square root, 0 for equal weights.
    """
    return _with_mean_one(counts.double() ** -exponent)


def effective_number(counts: Tensor, beta: float) -> Tensor:
    """Return weights proportional to 1 / E_n, float64 [C].

    E_n = (1 - beta^n) / (1 - beta) is the effective number of images (Cui et al. 2019, equation 2).

    Args:
        counts: number of images n of each class, all above 0, [C].
        beta: in [0, 1]; 0 gives equal weights, 1 the inverse frequency, which is the limit.
    """
    n = counts.double()
    if beta == 1:
        return inverse_frequency(n, 1.0)
    if beta == 0:
        return torch.ones_like(n)
    # expm1 keeps the digits of 1 - beta^n where beta^n is close to 1.
    return _with_mean_one((1 - beta) / -torch.expm1(n * math.log(beta)))


def _with_mean_one(weights: Tensor) -> Tensor:
    # The mean over classes (Cui et al. 2019), not over the images of a batch.
    return weights / weights.mean()
