"""Learning rates and coefficients as functions of the epoch.

The formulas at the top exist once; the schedule axis and the branch mixing of BBN choose among
them. In all of them p is the share of the epochs that is over, in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ltnas import config as c


def parabolic(p: float) -> float:
    """Return 1 - p^2: the share of the conventional branch in BBN (Zhou et al. 2020, 4.3)."""
    return 1 - p**2


def linear(p: float) -> float:
    """Return 1 - p."""
    return 1 - p


def half_cosine(angle: float) -> float:
    """Return (1 + cos(angle)) / 2, which falls from 1 to 0 for angles from 0 to pi."""
    return (1 + math.cos(angle)) / 2


def quarter_cosine(p: float) -> float:
    """Return cos(pi p / 2)."""
    return math.cos(p * math.pi / 2)


def increasing(p: float) -> float:
    """Return p^2."""
    return p**2


def step(p: float, end: float) -> float:
    """Return 1 before the share `end` of the epochs and 0 from there on."""
    return 1.0 if p < end else 0.0


def overlap(m: float) -> float:
    """Return 4 m (1 - m): largest, 1, where two shares m and 1 - m are equal."""
    return 4 * m * (1 - m)


def share(schedule: c.Schedule, epoch: int, epochs: int) -> float:
    """Return the share of the first learning rate that a schedule leaves in an epoch, in [0, 1].

    Args:
        schedule: value on the schedule axis.
        epoch: number of the epoch, from 0.
        epochs: number of epochs of the run.

    Raises:
        TypeError: the schedule is not a value on the axis.
    """
    # Below 1 even in the last epoch. `Confident` counts epochs from 1 and reaches 1 (B-DARTS).
    p = epoch / epochs
    match schedule:
        case c.Constant():
            return 1.0
        case c.Heterogeneous():
            return float(parabolic(p) ** schedule.kappa)
        case c.LinearSchedule():
            return linear(p)
        case c.CosineSchedule():
            return half_cosine(math.pi * p)
        case c.Freeze():
            return step(p, schedule.after)
        case c.Overlap():
            return overlap(parabolic(p))
        case c.Increasing():
            return increasing(p)
        case c.Confident():
            return increasing((epoch + 1) / epochs)
    raise TypeError(f"{schedule} is not a value on the schedule axis")


def scheduled(schedule: c.Schedule, epoch: int, epochs: int, first: float) -> float:
    """Return the architecture's learning rate of an epoch, from `first` down to `schedule.last`."""
    last = schedule.last
    return last + (first - last) * share(schedule, epoch, epochs)


BRANCH_SHARES: dict[str, Callable[[float], float]] = {
    "parabolic": parabolic,
    "linear": linear,
    "quarter_cosine": quarter_cosine,
    "cosine_symmetric": lambda p: half_cosine(math.pi * p),
    "fixed": lambda p: 0.5,
    "increasing": increasing,
    "beta": lambda p: 0.5,  # the mean of Beta(0.2, 0.2), from which each step draws its share
    "stage": lambda p: step(p, 0.6),
}
"""Share of the conventional branch by the name of the mixing (`c.MIXINGS`).

All but `cosine_symmetric` are from section 4.3 and table 4 of Zhou et al. 2020 or their code. With
`linear`, `fixed`, `beta` and `cosine_symmetric` both branches have the same mean over the run.
"""


def branch_share(mixing: str, progress: float) -> float:
    """Return the share of the conventional branch in the features, in [0, 1].

    Args:
        mixing: name of the formula, one of `c.MIXINGS`.
        progress: share of the epochs that is over, in [0, 1].

    Raises:
        ValueError: no formula has this name.
    """
    if mixing not in BRANCH_SHARES:
        raise ValueError(f"{mixing} is not a branch mixing: choose one of {', '.join(c.MIXINGS)}")
    return BRANCH_SHARES[mixing](progress)


def cosine(epoch: int, epochs: int, first: float, last: float) -> float:
    """Return a rate that falls by half a cosine from `first` in epoch 0 to `last` in `epochs`."""
    return last + (first - last) * half_cosine(math.pi * epoch / epochs)


def linear_ramp(epoch: int, epochs: int, last: float) -> float:
    """Return a value that grows in equal steps from 0 in epoch 0 to `last` in `epochs`."""
    return last * epoch / epochs


def weight_rate(config: c.WeightOptimiser, epoch: int, epochs: int) -> float:
    """Return the learning rate of the network weights: a warm-up, then a cosine or steps.

    The warm-up multiplies the rate of the cosine or the steps, which count its epochs too.

    Raises:
        ValueError: the decay has an unknown name.
    """
    if config.decay == "steps":
        # The factor is applied once for each moment that has passed.
        steps_taken = sum(epoch / epochs >= moment for moment in config.steps)
        rate = config.learning_rate * config.factor**steps_taken
    elif config.decay == "cosine":
        rate = cosine(epoch, epochs, config.learning_rate, config.final_learning_rate)
    else:
        raise ValueError(f"{config.decay} is not a decay of the learning rate")
    return rate * _warmup_share(config, epoch)


def _warmup_share(config: c.WeightOptimiser, epoch: int) -> float:
    """Return the share of its rate that an epoch, counted from 0, has because of the warm-up."""
    if epoch >= config.warmup_epochs:
        return 1.0
    # Counted from 1, so that the first epoch has a rate above 0, and the last of the warm-up all.
    part = (epoch + 1) / config.warmup_epochs
    return config.warmup_start + (1 - config.warmup_start) * part
