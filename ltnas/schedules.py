"""How rates and coefficients move over epochs, each a function of the epoch alone."""

from __future__ import annotations

import math


def cosine(epoch: int, epochs: int, first: float, last: float) -> float:
    """Half a cosine from `first` in epoch 0 towards `last`, which epoch `epochs` would have."""
    return last + (first - last) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def linear_ramp(epoch: int, epochs: int, last: float) -> float:
    """From 0 in epoch 0 in equal steps towards `last`, which epoch `epochs` would have."""
    return last * epoch / epochs
