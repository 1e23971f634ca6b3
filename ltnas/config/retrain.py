"""Configuration of `python -m ltnas.retrain`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.augmentation import AUGMENTATIONS, Augmentation
from ltnas.config.axis import axis, name_of
from ltnas.config.branches import BRANCHES, Branches, OneBranch, TwoBranches
from ltnas.config.classifier import CLASSIFIERS, Classifier, LinearClassifier, SimplexClassifier
from ltnas.config.combinations import require_cosines, require_one_stream, require_two_views
from ltnas.config.mix import MIXES, Mix, NoMix
from ltnas.config.network import NETWORKS, STEMS, NetworkChoice, SearchedNetwork
from ltnas.config.objective import (
    OBJECTIVES,
    BarlowTwins,
    Classification,
    MixtureConsistency,
    Objective,
    VectorScaling,
)
from ltnas.config.optimisers import (
    ClassifierOptimiser,
    PretrainingOptimiser,
    WeightOptimiser,
)
from ltnas.config.requirements import paths_to_text, require, require_choice
from ltnas.config.run import Run
from ltnas.config.sampler import SAMPLERS, Sampler


@dataclass
class ClassifierStage:
    """Second stage, in which the classifier alone is trained (cRT, Kang et al. 2020)."""

    epochs: int = 0
    """Number of epochs of the second stage; 0: no second stage."""
    fresh: bool = True
    """True to start from a newly initialised classifier."""
    weights: ClassifierOptimiser = field(default_factory=ClassifierOptimiser)
    """Optimiser of the classifier."""
    scaling_rate: float = 0.0
    """Learning rate of the factors that scale the logits of each class (learnable weight scaling,
    Kang et al. 2020) before warm-up and decay, which are those of `weights`; 0: no factors."""
    max_norm: float | None = None
    """Limit for the norms of the classifier's rows (MaxNorm, Alshammari et al. 2022), as a share of
    the way from the smallest to the largest norm at the start of the stage; null: no limit."""

    def __post_init__(self) -> None:
        require(self.epochs >= 0, f"crt.epochs={self.epochs} must be 0 or more")
        require(
            self.scaling_rate >= 0,
            f"crt.scaling_rate={self.scaling_rate} must be 0 or more: a learning rate",
        )
        require(
            self.scaling_rate == 0 or not self.fresh,
            f"crt.scaling_rate={self.scaling_rate} with crt.fresh=true: factors scale a classifier "
            "that was trained before; add crt.fresh=false",
        )
        require(
            self.scaling_rate == 0 or self.epochs > 0,
            f"crt.scaling_rate={self.scaling_rate} with crt.epochs=0: factors learn in a second "
            "stage; add crt.epochs=10, or take crt.scaling_rate=0",
        )
        require(
            self.max_norm is None or 0 <= self.max_norm <= 1,
            f"crt.max_norm={self.max_norm} must lie in [0, 1], or null for no limit",
        )
        require(
            self.max_norm is None or self.epochs > 0,
            f"crt.max_norm={self.max_norm} without a second stage: take crt.epochs=10 "
            "crt.fresh=false, or crt.max_norm=null",
        )
        require(
            self.max_norm is None or not self.fresh,
            f"crt.max_norm={self.max_norm} with crt.fresh=true: the norms of a new classifier say "
            "nothing about the classes; take crt.fresh=false",
        )


@dataclass
class RetrainConfig(Run):
    """Configuration of `python -m ltnas.retrain`."""

    recipe: str = "paper"
    """Name of the recipe, for tables."""
    network: NetworkChoice = axis(NETWORKS, "searched")
    genotype: str = ""
    """Run folder of a search, genotype.json or published name; empty for other networks."""
    objective: Objective = axis(OBJECTIVES, "cross_entropy")
    sampler: Sampler = axis(SAMPLERS, "instance_balanced")
    branches: Branches = axis(BRANCHES, "one")
    rebalancing_sampler: Sampler = axis(SAMPLERS, "reversed")
    """Sampler of the images of the second branch."""
    classifier: Classifier = axis(CLASSIFIERS, "linear")
    mix: Mix = axis(MIXES, "none")
    augmentation: Augmentation = axis(AUGMENTATIONS, "plain")
    sharpness: float = 0.0
    """Radius of sharpness-aware minimisation (Foret et al. 2021); 0: none."""
    sharpness_factor: float = 1.0
    """Factor of the radius from the share `sharpness_step` of the epochs on."""
    # Where Wang et al. (2023) change the radius, together with the loss.
    sharpness_step: float = 0.8
    """Share of the epochs from which on the radius is multiplied."""
    averaging: float = 0.0
    """Decay per step of an average of the weights, which is tested and stored; 0: none."""
    crt: ClassifierStage = field(default_factory=ClassifierStage)
    crt_objective: Objective = axis(OBJECTIVES, "cross_entropy")
    """Objective of the second stage."""
    crt_sampler: Sampler = axis(SAMPLERS, "class_balanced")
    """Sampler of the images of the second stage."""
    adjust: float = 0.0
    """tau of logit adjustment after training; 0: none."""
    # Sizes and constants of training as in DARTS (section 3.2), but 150 epochs instead of 600, as
    # in arXiv 2406.16949.
    epochs: int = 150
    channels: int = 36
    cells: int = 20
    enhancement_cells: int = 2
    """Number of enhancement cells of a broad network, which has `cells` convolution cells."""
    weights: WeightOptimiser = field(
        default_factory=lambda: WeightOptimiser(final_learning_rate=0.0)
    )
    stem: str = "auto"
    """First layers: `cifar` keeps the resolution, `imagenet` reduces it eightfold; `auto` is
    `imagenet` for images of 96 pixels or more, else `cifar`."""
    drop_path: float = 0.2
    """Probability in the last epoch of dropping a path; it grows linearly from 0."""
    auxiliary: float = 0.4
    """Weight of the auxiliary classifier's loss; 0: no auxiliary classifier."""
    cutout: int = 16
    """Side of the erased square in pixels; 0: none."""
    pretrain: str = "none"
    """Objective of the training before, without labels: `none` or `barlow_twins`."""
    pretrain_epochs: int = 0
    """Number of epochs of the training without labels."""
    pretrain_weights: PretrainingOptimiser = field(default_factory=PretrainingOptimiser)
    """Optimiser of the training without labels."""
    barlow_twins: BarlowTwins = field(default_factory=BarlowTwins)
    """Constants of `pretrain=barlow_twins`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        paths_to_text(self, "genotype")
        self._check_network()
        require(
            isinstance(self.objective, Classification),
            f"objective={name_of('objective', OBJECTIVES, self.objective)} has no labels to train "
            "the classifier with: take pretrain=barlow_twins pretrain_epochs=50, and an objective "
            "with labels",
        )
        require_cosines("objective", self.objective, self.classifier)
        require_cosines("crt_objective", self.crt_objective, self.classifier)
        require_two_views(self.mix, self.objective)
        self._check_adjustment()
        self._check_second_stage()
        self._check_sharpness()
        require(0 <= self.averaging < 1, f"averaging={self.averaging} must lie in [0, 1)")
        require(
            self.enhancement_cells >= 1,
            f"enhancement_cells={self.enhancement_cells} must be 1 or more",
        )
        require_choice("stem", self.stem, STEMS)
        require_choice("pretrain", self.pretrain, ("none", "barlow_twins"))
        require(
            (self.pretrain == "none") == (self.pretrain_epochs == 0),
            f"pretrain={self.pretrain} pretrain_epochs={self.pretrain_epochs}: set both, for "
            "example pretrain=barlow_twins pretrain_epochs=50, or neither",
        )
        require(
            self.pretrain_epochs >= 0, f"pretrain_epochs={self.pretrain_epochs} must be 0 or more"
        )
        require(0 <= self.drop_path < 1, f"drop_path={self.drop_path} must lie in [0, 1)")
        require(self.auxiliary >= 0, f"auxiliary={self.auxiliary} must be 0 or more")
        require(self.cutout >= 0, f"cutout={self.cutout} must be 0 or more pixels")

    def _check_sharpness(self) -> None:
        factor, step = self.sharpness_factor, self.sharpness_step
        require(self.sharpness >= 0, f"sharpness={self.sharpness} must be 0 or more: a radius")
        require(
            factor > 0,
            f"sharpness_factor={factor} must be above 0: steps are sharpness-aware throughout",
        )
        require(0 < step < 1, f"sharpness_step={step} must lie in (0, 1): a share of the epochs")

    def _check_second_stage(self) -> None:
        require(
            isinstance(self.crt_objective, Classification)
            and not isinstance(self.crt_objective, MixtureConsistency),
            "crt_objective must be a loss of labels and of single views: the second stage trains "
            "a classifier alone; take crt_objective=cross_entropy",
        )
        require(
            self.crt.epochs == 0 or not isinstance(self.classifier, SimplexClassifier),
            "crt.epochs with classifier=simplex: it is never trained, so that a second stage has "
            "nothing to do; take crt.epochs=0, or another classifier",
        )
        require(
            self.crt.max_norm is None or isinstance(self.classifier, LinearClassifier),
            f"crt.max_norm={self.crt.max_norm} needs classifier=linear: cosines do not depend on "
            "norms; leave one of them out",
        )
        require(
            self.crt.max_norm is None or self.crt.scaling_rate == 0,
            f"crt.max_norm={self.crt.max_norm} with crt.scaling_rate={self.crt.scaling_rate}: both "
            "balance the norms of the rows; leave one of them out",
        )
        require(
            self.crt.scaling_rate == 0 or isinstance(self.classifier, LinearClassifier),
            f"crt.scaling_rate={self.crt.scaling_rate} scales weights, and the cosines of a "
            "classifier do not depend on their length: take classifier=linear, or "
            "crt.scaling_rate=0",
        )
        require(
            self.crt.epochs == 0 or isinstance(self.branches, OneBranch),
            "crt.epochs with branches=two: the re-balancing branch does what a second stage "
            "would; take crt.epochs=0 or branches=one",
        )

    def _check_network(self) -> None:
        searched = isinstance(self.network, SearchedNetwork)
        require(
            not searched or self.genotype != "",
            "genotype is missing: give a run folder of ltnas.search, a genotype.json, or a "
            "published name, for example genotype=darts_v2; or take network=resnet32",
        )
        require(
            searched or self.genotype == "",
            f"genotype={self.genotype} with network=resnet: a residual network has none; leave "
            "one of them out",
        )
        require_one_stream(self.branches, self.rebalancing_sampler)
        require(
            isinstance(self.mix, NoMix) or isinstance(self.branches, OneBranch),
            "mix with branches=two: branches mix features already, with images of another "
            "stream; take mix=none or branches=one",
        )
        require(
            not (searched and self.auxiliary > 0 and isinstance(self.branches, TwoBranches)),
            f"auxiliary={self.auxiliary} with branches=two: the auxiliary classifier has no "
            "branches; take auxiliary=0",
        )

    def _check_adjustment(self) -> None:
        require(self.adjust >= 0, f"adjust={self.adjust} must be 0 or more: it is a tau")
        moves = any(
            isinstance(objective, VectorScaling) and objective.tau > 0
            for objective in (self.objective, *([self.crt_objective] if self.crt.epochs else []))
        )
        require(
            self.adjust == 0 or isinstance(self.branches, OneBranch),
            f"adjust={self.adjust} with branches=two: their streams have other class frequencies, "
            "and it would move logits by those of one; take adjust=0 or branches=one",
        )
        require(
            self.adjust == 0 or not moves,
            f"adjust={self.adjust} with an objective that moves logits by class frequencies "
            "already: it would be done twice; leave one of them out",
        )
        require(
            self.adjust == 0 or isinstance(self.classifier, LinearClassifier),
            f"adjust={self.adjust} moves a classifier's bias, and a cosine has none: take "
            "classifier=linear, or objective=logit_adjusted",
        )
