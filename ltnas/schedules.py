"""How rates and coefficients move over epochs, each a function of the epoch alone."""

from __future__ import annotations

import math

from ltnas import config as c


def cosine(epoch: int, epochs: int, first: float, last: float) -> float:
    """Half a cosine from `first` in epoch 0 towards `last`, which epoch `epochs` would have."""
    return last + (first - last) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def linear_ramp(epoch: int, epochs: int, last: float) -> float:
    """From 0 in epoch 0 in equal steps towards `last`, which epoch `epochs` would have."""
    return last * epoch / epochs


def share(schedule: c.Schedule, epoch: int, epochs: int) -> float:
    """Of the first rate that a value on the schedule axis leaves in an epoch, in [0, 1].

    With p = epoch / epochs, and m = 1 - p^2, which in BBN is the share of the conventional branch
    (Zhou et al. 2020, section 4.3).
    """
    p = epoch / epochs
    m = 1 - p**2
    match schedule:
        case c.Heterogeneous():
            return float(m**schedule.kappa)
        case c.LinearSchedule():
            return 1 - p
        case c.CosineSchedule():
            return (1 + math.cos(math.pi * p)) / 2
        case c.Freeze():
            return 1.0 if p < schedule.after else 0.0
        case c.Overlap():
            return 4 * m * (1 - m)
        case c.Increasing():
            return p**2
        case c.Confident():
            return ((epoch + 1) / epochs) ** 2
        case _:
            return 1.0


def scheduled(schedule: c.Schedule, epoch: int, epochs: int, first: float) -> float:
    """The rate of an epoch, between the schedule's last rate and `first`."""
    last = schedule.last
    return last + (first - last) * share(schedule, epoch, epochs)
