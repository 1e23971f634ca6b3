"""The objective axis: what is minimised on a batch."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require, require_choice


@dataclass
class Objective:
    """Base of the values on the objective axis."""


@dataclass
class Classification(Objective):
    """Base of the losses of labelled images, with optional class weights.

    Auxiliary logits, where a network has them, enter the loss too. The counts n of a class, here
    and below, are those of the images that a stream shows.
    """

    reweight: str = "none"
    """Class weights: `none`, `inverse_frequency` (n^-exponent) or `effective_number`."""
    exponent: float = 1.0
    """Exponent of the inverse frequency."""
    # The largest beta that Cui et al. try; LDAM-DRW takes it too.
    beta: float = 0.9999
    """beta of the effective number (1 - beta^n) / (1 - beta) (Cui et al. 2019, equation 2)."""
    start: float = 0.0
    """Share of the epochs before which classes are not weighed; LDAM-DRW has 0.8."""
    # By `images`, the step size does not change at `start`, and neither the batch size nor the
    # number of processes enters.
    weight_normalisation: str = "images"
    """Scale of class weights: `images` for mean 1 over the images that the stream shows, `batch` to
    divide each batch's loss by its sum of weights, `classes` for mean 1 over classes."""

    def __post_init__(self) -> None:
        require_choice(
            "objective.weight_normalisation",
            self.weight_normalisation,
            ("images", "batch", "classes"),
        )
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
    """Negative logarithm of the label's probability."""


@dataclass
class InverseFrequency(CrossEntropy):
    """Cross-entropy with class weights 1 / n."""

    reweight: str = "inverse_frequency"


@dataclass
class ClassBalanced(CrossEntropy):
    """Cross-entropy with the inverse effective number as weights (Cui et al. 2019)."""

    reweight: str = "effective_number"


@dataclass
class Focal(Classification):
    """Cross-entropy that confident, correct predictions enter less (Lin et al. 2017)."""

    gamma: float = 2.0
    """Exponent of 1 - p in the factor of each image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.gamma >= 0, f"objective.gamma={self.gamma} must be 0 or more")


@dataclass
class Ldam(Classification):
    """Margins that grow as class counts shrink (Cao et al. 2019); needs a cosine classifier."""

    max_margin: float = 0.5
    """Margin of the smallest class, as a difference of cosines."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            0 <= self.max_margin <= 1,
            f"objective.max_margin={self.max_margin} must lie in [0, 1]: it is one of cosines",
        )


@dataclass
class LdamDrw(Ldam):
    """LDAM, with class weights in the last fifth of the epochs (Cao et al. 2019, algorithm 1)."""

    reweight: str = "effective_number"
    # Epoch 160 of 200 in the paper.
    start: float = 0.8


@dataclass
class VectorScaling(Classification):
    """Logits scaled and shifted by class frequencies while training (Kini et al. 2021)."""

    tau: float = 1.0
    """Factor of the log frequency that is added to a logit."""
    # Published settings for CIFAR-10-LT lie between 0.05 and 0.2.
    gamma: float = 0.1
    """Exponent of n over the largest n, which multiplies a logit."""
    # 0.8 is truncated logit adjustment (TLA, Wang et al. 2023).
    multiplicative_end: float = 1.0
    """Share of the epochs from which on logits are shifted alone, as with gamma=0; 1: never."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("tau", "gamma"):
            value = getattr(self, key)
            require(value >= 0, f"objective.{key}={value} must be 0 or more")
        require(
            0 < self.multiplicative_end <= 1,
            f"objective.multiplicative_end={self.multiplicative_end} must lie in (0, 1]: a share "
            "of the run; gamma=0 for no multiplication at all",
        )


@dataclass
class LogitAdjusted(VectorScaling):
    """Logits shifted by tau times the log class frequency while training (Menon et al. 2021)."""

    gamma: float = 0.0


@dataclass
class BalancedSoftmax(VectorScaling):
    """Logits shifted by log n while training (Ren et al. 2020)."""

    gamma: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            # log n and the log frequency differ by a constant, which no softmax sees: tau has to be
            # 1.
            self.tau == 1 and self.gamma == 0,
            f"objective.tau={self.tau} objective.gamma={self.gamma} with balanced_softmax: it has "
            "no constants; take objective=vector_scaling",
        )


@dataclass
class GradientHarmonising(Classification):
    """Images weighed by the inverse density of their gradient norms (Li et al. 2019)."""

    bins: int = 10
    """Number of bins of gradient norms in [0, 1]."""
    momentum: float = 0.0
    """Decay of the average of bin counts over steps; 0: the counts of the batch alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.bins >= 1, f"objective.bins={self.bins} must be 1 or more")
        require(0 <= self.momentum < 1, f"objective.momentum={self.momentum} must lie in [0, 1)")


@dataclass
class LabelAwareSmoothing(Classification):
    """Label smoothing that grows with the class count (MiSLAS, Zhong et al. 2021)."""

    # For an imbalance of 1:100; Zhong et al. take 0.2 for 1:50 and 0.1 for 1:10.
    head: float = 0.3
    """Smoothing of the largest class: probability that its target gives to other classes."""
    tail: float = 0.0
    """Smoothing of the smallest class."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("head", "tail"):
            value = getattr(self, key)
            require(0 <= value < 1, f"objective.{key}={value} must lie in [0, 1)")


@dataclass
class MixtureConsistency(InverseFrequency):
    """Loss of two mixed views and their agreement, with class weights (GLMC, Du et al. 2023).

    The unweighted loss counts m = 1 - p^2, the one with class weights 1 - m, p being the share of
    the epochs that is over. Needs `mix=mixup_and_cutmix`.
    """

    # n^-1.2 as in the GLMC code; the width below is our choice.
    exponent: float = 1.2
    consistency: float = 4.0
    """Weight of the agreement of both views in the loss."""
    width: int = 256
    """Number of units in the layers that compare the views."""
    # As in SimSiam, which GLMC refers to. The GLMC code has one linear layer each.
    heads: str = "perceptron"
    """Layers that compare the views, projector and predictor: `perceptron`, with batch
    normalisation and one hidden layer each, or `linear`, one layer each."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.consistency >= 0, f"objective.consistency={self.consistency} must be 0 or more"
        )
        require(self.width >= 2, f"objective.width={self.width} must be 2 or more")
        require_choice("objective.heads", self.heads, ("perceptron", "linear"))


@dataclass
class SelfSupervised(Objective):
    """Base of the objectives without labels.

    Each has layers of its own, which learn in the weight step. The classifier is a linear probe: it
    learns from labels, for measurement, and nothing before it does.
    """


@dataclass
class BarlowTwins(SelfSupervised):
    """Redundancy reduction between two views, without labels (Zbontar et al. 2021)."""

    # Of the authors' code. Its projector of 8192 outputs is for batches of 2048: independent
    # outputs have squared correlations of about 1 / B, so that the second sum of the loss, lambda D
    # (D - 1) / B, would drown the first in batches of 64.
    off_diagonal_weight: float = 0.0051
    """lambda of equation 1: weight of the off-diagonal correlations."""
    hidden: int = 512
    """Number of units in each hidden layer of the projector."""
    outputs: int = 256
    """Number of outputs of the projector, whose correlations are compared."""
    center: bool = True
    """True to standardise over the batch; False is the literal equation 9 of arXiv 2406.16949."""
    min_crop_area: float = 0.2
    """Smallest area of the resized crop, as a share of the image."""
    # Colours as in the paper's code, without its blur and solarisation.
    jitter: float = 0.4
    """Strength of brightness and contrast changes; saturation has half of it, hue a quarter."""
    jitter_probability: float = 0.8
    """Probability that the colours of an image are changed."""
    grey_probability: float = 0.2
    """Probability that an image is made grey."""

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


@dataclass
class MaskedReconstruction(SelfSupervised):
    """Reconstruction of masked patches of the images (MAE-NAS, Hu et al. 2023, arXiv 2311.12086).

    The hierarchical decoder is the paper's, the other values are our reading of it.
    """

    # The authors write that skip connections dominate below one half.
    mask_ratio: float = 0.5
    """Share of the patches of each image that are masked, rounded to whole patches."""
    # Of images of 32 pixels, a pixel of the supernet's last state for each patch.
    patch: int = 4
    """Side of a square patch, pixels; divides the side of the images."""
    decoder: str = "hierarchical"
    """States that the decoder sees: `hierarchical`, the last at each resolution, or `single_scale`,
    the last of all."""
    decoder_channels: int = 64
    """Number of channels of each convolution of the decoder but the last."""

    def __post_init__(self) -> None:
        require(
            0 < self.mask_ratio < 1,
            f"objective.mask_ratio={self.mask_ratio} must lie in (0, 1): a share of the patches",
        )
        require(self.patch >= 1, f"objective.patch={self.patch} must be 1 or more pixels")
        require_choice("objective.decoder", self.decoder, ("hierarchical", "single_scale"))
        require(
            self.decoder_channels >= 1,
            f"objective.decoder_channels={self.decoder_channels} must be 1 or more",
        )


@dataclass
class SameObjective(Objective):
    """For the architecture step and other learners: the objective of the supernet's weight step."""


OBJECTIVES: dict[str, type[Objective]] = {
    "cross_entropy": CrossEntropy,
    "inverse_frequency": InverseFrequency,
    "class_balanced": ClassBalanced,
    "focal": Focal,
    "ldam": Ldam,
    "ldam_drw": LdamDrw,
    "logit_adjusted": LogitAdjusted,
    "balanced_softmax": BalancedSoftmax,
    "vector_scaling": VectorScaling,
    "gradient_harmonising": GradientHarmonising,
    "label_aware_smoothing": LabelAwareSmoothing,
    "mixture_consistency": MixtureConsistency,
    "barlow_twins": BarlowTwins,
    "masked_reconstruction": MaskedReconstruction,
}
ARCHITECTURE_OBJECTIVES: dict[str, type[Objective]] = {"same": SameObjective, **OBJECTIVES}
SECOND_OBJECTIVES = ARCHITECTURE_OBJECTIVES
