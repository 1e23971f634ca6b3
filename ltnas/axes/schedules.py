"""How rates and coefficients move over epochs, each a function of the epoch alone."""

from __future__ import annotations

import math

from ltnas import config as c


def cosine(epoch: int, epochs: int, first: float, last: float) -> float:
    """Half a cosine from `first` in epoch 0 towards `last`, which epoch `epochs` would have."""
    return last + (first - last) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def weight_rate(config: c.WeightOptimiser, epoch: int, epochs: int) -> float:
    """Of the weights: a linear warm-up, then a cosine or steps, by epoch.

    The epochs of the warm-up count for what comes after it: a cosine does not start anew.
    """
    first, warm = config.learning_rate, config.warmup_epochs
    if config.decay == "steps":
        over = sum(epoch / epochs >= moment for moment in config.steps)
        rate = first * config.factor**over
    else:
        rate = cosine(epoch, epochs, first, config.final_learning_rate)
    return rate * (epoch + 1) / warm if epoch < warm else rate


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


def branch_share(mixing: str, progress: float) -> float:
    """Of the conventional branch, in [0, 1], when a share `progress` of the run is over.

    Section 4.3 and table 4 of Zhou et al. 2020.

    Those of BBN's paper and code, and one more: `linear`, `fixed` and `cosine_symmetric` give
    both branches the same share over the whole run, the others do not. `beta` is drawn for each
    step, from Beta(0.2, 0.2); its mean is here.
    """
    p = progress
    match mixing:
        case "linear":
            return 1 - p
        case "cosine":
            return math.cos(p * math.pi / 2)
        case "cosine_symmetric":
            return (1 + math.cos(math.pi * p)) / 2
        case "fixed" | "beta":
            return 0.5
        case "increasing":
            return p**2
        case "stage":
            return 1.0 if p < 0.6 else 0.0
        case "parabolic":
            return 1 - p**2
        case other:
            raise ValueError(f"no way of mixing is called {other}")


def scheduled(schedule: c.Schedule, epoch: int, epochs: int, first: float) -> float:
    """The rate of an epoch, between the schedule's last rate and `first`."""
    last = schedule.last
    return last + (first - last) * share(schedule, epoch, epochs)
