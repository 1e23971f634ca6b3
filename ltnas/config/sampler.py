"""The sampler axis: which images an epoch shows."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class Sampler:
    """Base of the values on the sampler axis."""

    start: float = 0.0
    """Share of the epochs before which each image is shown once: deferred re-sampling."""

    def __post_init__(self) -> None:
        require(
            0 <= self.start < 1,
            f"sampler.start={self.start} must lie in [0, 1): a share of the run",
        )


@dataclass
class InstanceSampler(Sampler):
    """Each image once."""


@dataclass
class ClassBalancedSampler(Sampler):
    """A class drawn uniformly, then an image of this class."""


@dataclass
class SquareRootSampler(Sampler):
    """Classes drawn in proportion to the square root of their counts (Mahajan et al. 2018)."""


@dataclass
class ReversedSampler(Sampler):
    """Classes drawn in proportion to the inverse of their counts (BBN, Zhou et al. 2020)."""


@dataclass
class ProgressiveSampler(Sampler):
    """From instance-balanced to class-balanced over the epochs (Kang et al. 2020)."""


@dataclass
class OverSampler(Sampler):
    """Each image, and those of small classes repeated until all classes have equal counts."""


@dataclass
class UnderSampler(Sampler):
    """Every class shows as many images as the smallest one has, drawn anew in each epoch."""


@dataclass
class SameSampler(Sampler):
    """For the architecture step and other learners: the sampler of the supernet's weight step."""


# A loss weighs classes by the counts of its stream, so that no sampler corrects imbalance twice.
SAMPLERS: dict[str, type[Sampler]] = {
    "instance_balanced": InstanceSampler,
    "class_balanced": ClassBalancedSampler,
    "square_root": SquareRootSampler,
    "reversed": ReversedSampler,
    "progressive": ProgressiveSampler,
    "over": OverSampler,
    "under": UnderSampler,
}
ARCHITECTURE_SAMPLERS: dict[str, type[Sampler]] = {"same": SameSampler, **SAMPLERS}
SECOND_SAMPLERS = ARCHITECTURE_SAMPLERS
