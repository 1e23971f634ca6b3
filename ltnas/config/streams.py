"""Axes of streams: which images an epoch shows, what is made of them."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.objectives import Objective
from ltnas.config.requirements import require


@dataclass
class Sampler:
    """Which images an epoch shows."""

    start: float = 0.0
    """Share of the run before which it is all images once: deferred re-sampling."""

    def __post_init__(self) -> None:
        require(
            0 <= self.start < 1,
            f"sampler.start={self.start} must lie in [0, 1): a share of the run",
        )


@dataclass
class InstanceSampler(Sampler):
    """All images once."""


@dataclass
class ClassBalancedSampler(Sampler):
    """A class drawn uniformly, then an image of it."""


@dataclass
class SquareRootSampler(Sampler):
    """Classes by the square root of their images (Mahajan et al. 2018)."""


@dataclass
class ReversedSampler(Sampler):
    """Classes by one over their images (BBN, Zhou et al. 2020)."""


@dataclass
class ProgressiveSampler(Sampler):
    """From instance-balanced to class-balanced over the run (Kang et al. 2020)."""


@dataclass
class OverSampler(Sampler):
    """All images, small classes again and again until all are as large as the largest."""


@dataclass
class UnderSampler(Sampler):
    """As many images of each class as the smallest has, others each epoch."""


@dataclass
class Same(Objective, Sampler):
    """What the weights have."""


@dataclass
class Mix:
    """How images of a batch are mixed with one another."""

    alpha: float = 1.0
    """Shares are drawn from Beta(alpha, alpha)."""

    def __post_init__(self) -> None:
        require(self.alpha > 0, f"mix.alpha={self.alpha} must be above 0")


@dataclass
class NoMix(Mix):
    """Not at all."""


@dataclass
class Mixup(Mix):
    """Blended (Zhang et al. 2018)."""


@dataclass
class CutMix(Mix):
    """A box of one pasted into the other (Yun et al. 2019)."""


@dataclass
class MixupOrCutMix(Mix):
    """Either, for each image by chance."""


@dataclass
class MixupAndCutMix(Mix):
    """One view of an image by mixup, the other by CutMix."""


@dataclass
class Augmentation:
    """What is made of an image besides crop, mirror and cutout."""


@dataclass
class PlainAugmentation(Augmentation):
    """Nothing."""


@dataclass
class RandAugment(Augmentation):
    """Operations drawn from fourteen (Cubuk et al. 2020)."""

    count: int = 2
    """Operations on an image."""
    magnitude: int = 9
    """Of each, in [0, 30]."""

    def __post_init__(self) -> None:
        require(self.count >= 1, f"augmentation.count={self.count} must be 1 or more")
        require(
            0 <= self.magnitude <= 30,
            f"augmentation.magnitude={self.magnitude} must lie in [0, 30]",
        )
