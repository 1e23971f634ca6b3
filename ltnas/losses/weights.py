"""Weights of classes by how many of their images a loss sees, [C], of mean 1."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ltnas import config as c


def inverse_frequency(counts: Tensor, exponent: float) -> Tensor:
    """n^-k for counts n > 0 [C]; with k = 1/2 the square root, with k = 0 no weights."""
    return _of_mean_one(counts.double() ** -exponent)


def effective_number(counts: Tensor, beta: float) -> Tensor:
    """1 / E_n with E_n = (1 - beta^n) / (1 - beta) (Cui et al. 2019, equation 2).

    Args:
        counts: n > 0, [C].
        beta: in [0, 1]; 0 gives no weights, 1, as the limit, the inverse frequency.
    """
    n = counts.double()
    if beta == 1:
        return inverse_frequency(n, 1.0)
    if beta == 0:
        return torch.ones_like(n)
    return _of_mean_one((1 - beta) / -torch.expm1(n * math.log(beta)))


def _of_mean_one(weights: Tensor) -> Tensor:
    return weights / weights.mean()


def class_weights(config: c.Classification, counts: Tensor) -> Tensor:
    """Of mean 1, float64 [C]."""
    match config.reweight:
        case "inverse_frequency":
            return inverse_frequency(counts, config.exponent)
        case "effective_number":
            return effective_number(counts, config.beta)
        case _:
            return torch.ones_like(counts, dtype=torch.float64)
