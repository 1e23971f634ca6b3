"""The objective axis: what is minimised on a batch."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require, require_choice


@dataclass
class Objective:
    """What is minimised on a batch."""


@dataclass
class Classification(Objective):
    """Supervised; classes may be weighed, and auxiliary logits, where there are some, count too.

    Counts of classes, here and below, are those of the images that a stream shows.
    """

    reweight: str = "none"
    """`inverse_frequency`, n^-exponent, or `effective_number` (Cui et al. 2019)."""
    exponent: float = 1.0
    beta: float = 0.9999
    start: float = 0.0
    """Share of the run before which classes are not weighed: 0.8 is that of LDAM-DRW."""

    def __post_init__(self) -> None:
        require_choice(
            "objective.reweight", self.reweight, ("none", "inverse_frequency", "effective_number")
        )
        require(0 <= self.beta <= 1, f"objective.beta={self.beta} must lie in [0, 1]")
        require(self.exponent >= 0, f"objective.exponent={self.exponent} must be 0 or more")
        require(
            0 <= self.start < 1,
            f"objective.start={self.start} must lie in [0, 1): a share of the run",
        )
        require(
            self.start == 0 or self.reweight != "none",
            f"objective.start={self.start} with objective.reweight=none: there is nothing to "
            "start; take objective.reweight=effective_number",
        )


@dataclass
class CrossEntropy(Classification):
    """-log p of the label."""


@dataclass
class InverseFrequency(CrossEntropy):
    """Cross-entropy with weights of one over a class's images."""

    reweight: str = "inverse_frequency"


@dataclass
class ClassBalanced(CrossEntropy):
    """Cross-entropy with weights of one over the effective number of images (Cui et al. 2019)."""

    reweight: str = "effective_number"


@dataclass
class Focal(Classification):
    """Images that are right and sure of it count less (Lin et al. 2017)."""

    gamma: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.gamma >= 0, f"objective.gamma={self.gamma} must be 0 or more")


@dataclass
class Ldam(Classification):
    """Margins that grow as classes shrink (Cao et al. 2019); needs a cosine classifier."""

    max_margin: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            0 <= self.max_margin <= 1,
            f"objective.max_margin={self.max_margin} must lie in [0, 1]: it is one of cosines",
        )


@dataclass
class LdamDrw(Ldam):
    """LDAM, in the last fifth of the run with class weights (Cao et al. 2019, algorithm 1)."""

    reweight: str = "effective_number"
    start: float = 0.8


@dataclass
class VectorScaling(Classification):
    """Logits are scaled and moved by class frequencies (Kini et al. 2021)."""

    tau: float = 1.0
    gamma: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("tau", "gamma"):
            value = getattr(self, key)
            require(value >= 0, f"objective.{key}={value} must be 0 or more")


@dataclass
class LogitAdjusted(VectorScaling):
    """Logits are moved by tau log pi while training (Menon et al. 2021)."""

    gamma: float = 0.0


@dataclass
class BalancedSoftmax(VectorScaling):
    """Logits are moved by log n while training (Ren et al. 2020)."""

    gamma: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.tau == 1 and self.gamma == 0,
            f"objective.tau={self.tau} objective.gamma={self.gamma} with balanced_softmax: it has "
            "no constants; take objective=vector_scaling",
        )


@dataclass
class GradientHarmonising(Classification):
    """Images whose gradients have a frequent length count less (Li et al. 2019)."""

    bins: int = 10
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.bins >= 1, f"objective.bins={self.bins} must be 1 or more")
        require(0 <= self.momentum < 1, f"objective.momentum={self.momentum} must lie in [0, 1)")


@dataclass
class LabelAwareSmoothing(Classification):
    """Targets of large classes are smoothed (MiSLAS, Zhong et al. 2021)."""

    head: float = 0.3
    """What the largest class's target gives to others."""
    tail: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("head", "tail"):
            value = getattr(self, key)
            require(0 <= value < 1, f"objective.{key}={value} must lie in [0, 1)")


@dataclass
class MixtureConsistency(InverseFrequency):
    """GLMC (Du et al. 2023): two mixed views agree, and class weights come in by 1 - p^2.

    For `mix=mixup_and_cutmix`.
    """

    exponent: float = 1.2
    consistency: float = 4.0
    """What the agreement of both views counts."""
    width: int = 256
    """Of the layers that compare the views."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.consistency >= 0, f"objective.consistency={self.consistency} must be 0 or more"
        )
        require(self.width >= 2, f"objective.width={self.width} must be 2 or more")


@dataclass
class BarlowTwins(Objective):
    """Redundancy reduction between two views, no labels (Zbontar et al. 2021)."""

    off_diagonal_weight: float = 0.0051
    """lambda of equation 1."""
    hidden: int = 512
    outputs: int = 256
    center: bool = True
    """Standardise over the batch; False is the literal equation 9 of arXiv 2406.16949."""
    min_crop_area: float = 0.2
    """Smallest area of the resized crop, as a share of the image."""
    jitter: float = 0.4
    """Strength of brightness and contrast; saturation takes half of it, hue a quarter."""
    jitter_probability: float = 0.8
    grey_probability: float = 0.2

    def __post_init__(self) -> None:
        require(self.hidden >= 1, f"hidden={self.hidden} of barlow_twins must be 1 or more")
        require(self.outputs >= 1, f"outputs={self.outputs} of barlow_twins must be 1 or more")
        require(
            0 < self.min_crop_area <= 1,
            f"min_crop_area={self.min_crop_area} of barlow_twins must lie in (0, 1]",
        )
        require(0 <= self.jitter < 1, f"jitter={self.jitter} of barlow_twins must lie in [0, 1)")
        for key in ("jitter_probability", "grey_probability"):
            value = getattr(self, key)
            require(0 <= value <= 1, f"{key}={value} of barlow_twins must lie in [0, 1]")
