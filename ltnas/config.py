"""Typed configuration: what a user may set, checked once, before anything is loaded.

Each axis of a scheme (DESIGN: a scheme is a composition) is a family of small dataclasses; a
family member is one value on the axis and carries that value's own constants. `conf/` picks
members by name. Nothing here imports torch, so `--help` is quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.errors import UserError

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The candidate operations of DARTS, in the order of its architecture parameters."""


def require(condition: bool, message: str) -> None:
    """Raise `UserError(message)` unless the condition holds."""
    if not condition:
        raise UserError(message)


def require_seed(key: str, value: int) -> None:
    """Raise a `UserError` unless every random generator takes the value."""
    require(0 <= value < 2**32, f"{key}={value} must lie in [0, {2**32 - 1}]")


def require_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a `UserError` that lists the choices unless `value` is one of them."""
    require(value in choices, f"{key}={value} is not known: choose one of {', '.join(choices)}")


# --- data ---------------------------------------------------------------------------------------


@dataclass
class Imbalance:
    """The long tail: `kind` and, for `exp` and `step`, the factor mu of Cao et al. (2019)."""

    kind: str = "balance"
    factor: float | None = None

    def __post_init__(self) -> None:
        require_choice("imbalance.kind", self.kind, ("balance", "exp", "step", "natural"))
        if self.kind not in ("exp", "step"):
            require(
                self.factor is None,
                f"imbalance.factor={self.factor} means nothing for imbalance={self.kind}: "
                "leave it out, or take imbalance=exp or imbalance=step",
            )
            return
        require(
            self.factor is not None,
            f"imbalance={self.kind} needs a factor: add imbalance.factor=0.1",
        )
        assert self.factor is not None
        require(
            0.0 < self.factor <= 1.0,
            f"imbalance.factor={self.factor:g} is outside (0, 1]: it is the smallest class over "
            "the largest, for example 0.1",
        )

    @property
    def name(self) -> str:
        """`exp0.1`, `step0.01`, `balance` or `natural`, as the shipped choices are called."""
        return self.kind if self.factor is None else f"{self.kind}{self.factor:g}"


@dataclass
class Data:
    """Where images come from and how a plain training view of them is made."""

    source: str = "cifar10"
    root: str | None = None
    """Folder of the files; where `cifar10` is downloaded to."""
    image_size: int | None = None
    """Side in pixels; None keeps the source's own."""
    mean: list[float] | None = None
    """Per channel, of pixels in [0, 1]; None: measured on the training subset."""
    std: list[float] | None = None
    crop_padding: int = 4
    flip: bool = True
    subset_seed: int = 0
    """Seed of the subset and of the halves; 0 gives the images of Cao et al."""
    cache: str | None = None
    """Folder of decoded images; None: the user's cache folder."""
    few_below: int | None = None
    """Classes with fewer training images are few-shot; None: the last third of the log range."""
    many_above: int | None = None
    """Classes with more training images are many-shot; None: the first third of the log range."""

    def __post_init__(self) -> None:
        sources = ("cifar10", "cifar10_parquet", "digits", "folder")
        require_choice("data.source", self.source, sources)
        if self.source in ("cifar10_parquet", "folder"):
            require(
                self.root is not None,
                f"data={self.source} needs the folder of its files: add data.root=PATH",
            )
        size = self.image_size
        require(
            size is None or size >= 4,
            f"data.image_size={size} is too small: take 4 or more",
        )
        require(
            self.crop_padding >= 0,
            f"data.crop_padding={self.crop_padding} must be 0 or more pixels",
        )
        require_seed("data.subset_seed", self.subset_seed)
        if self.many_above is not None and self.few_below is not None:
            require(
                self.few_below <= self.many_above + 1,
                f"data.few_below={self.few_below} data.many_above={self.many_above}: a class would "
                "be both few- and many-shot; few_below must not be the larger",
            )
        require(
            (self.mean is None) == (self.std is None),
            f"data.mean={self.mean} data.std={self.std} go together: set both, or neither to have "
            "them measured",
        )
        for key, values in (("mean", self.mean), ("std", self.std)):
            require(
                values is None or len(values) == 3,
                f"data.{key}={values} must be three numbers: of red, green and blue",
            )
        require(
            self.std is None or min(self.std) > 0,
            f"data.std={self.std} must be above 0 in each channel",
        )


# --- the axes of a scheme -----------------------------------------------------------------------


@dataclass
class Space:
    """Candidate operations of an edge and intermediate nodes of a cell (DARTS, section 2.1)."""

    operations: list[str] = field(default_factory=lambda: list(OPERATIONS))
    nodes: int = 4

    def __post_init__(self) -> None:
        for operation in self.operations:
            require_choice("space.operations", operation, OPERATIONS)
        require(
            len(set(self.operations)) == len(self.operations),
            f"space.operations={self.operations} names an operation twice: list each once",
        )
        require(
            any(operation != "none" for operation in self.operations),
            f"space.operations={self.operations} has nothing but none: add an operation that does "
            "something",
        )
        require(
            1 <= self.nodes <= 30,
            f"space.nodes={self.nodes} must lie in [1, 30]: a cell needs at least one node",
        )


@dataclass
class Relaxation:
    """How architecture parameters become mixing weights, and how they start."""

    initial_deviation: float = 1e-3
    """Standard deviation of the normal distribution that parameters are drawn from."""

    def __post_init__(self) -> None:
        require(
            self.initial_deviation >= 0,
            f"relaxation.initial_deviation={self.initial_deviation} must be 0 or more",
        )


@dataclass
class Softmax(Relaxation):
    """Operations of an edge compete (DARTS, equation 2)."""


@dataclass
class Sigmoid(Relaxation):
    """Operations have independent gates (FairDARTS); all start half open."""

    initial_deviation: float = 0.0


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


@dataclass
class Classifier:
    """Features to logits."""


@dataclass
class LinearClassifier(Classifier):
    """A linear layer."""


@dataclass
class CosineClassifier(Classifier):
    """Cosines of features and learned vectors (Cao et al. 2019)."""

    scale: float = 30.0
    """What cosines are multiplied by: a softmax of cosines alone is never sure."""

    def __post_init__(self) -> None:
        require(self.scale > 0, f"classifier.scale={self.scale} must be above 0")


@dataclass
class SimplexClassifier(CosineClassifier):
    """Cosines of features and fixed vectors, all equally far apart (ETF, Yang et al. 2022)."""


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
class Branches:
    """How many branches a model ends in, each with a stream of its own."""


@dataclass
class OneBranch(Branches):
    """A plain network."""


MIXINGS = (
    *("parabolic", "linear", "cosine", "cosine_symmetric"),
    *("fixed", "increasing", "beta", "stage"),
)
"""Ways in which the share of the conventional branch moves over the epochs."""


@dataclass
class TwoBranches(Branches):
    """A conventional and a re-balancing branch (BBN, Zhou et al. 2020)."""

    depth: int = 1
    """1: the last cell and the classifier are there twice; 0: the classifier alone."""
    mixing: str = "parabolic"
    """How the share of the conventional branch moves; 1 - p^2 in the paper."""

    def __post_init__(self) -> None:
        require(self.depth in (0, 1), f"branches.depth={self.depth} must be 0 or 1")
        require_choice("branches.mixing", self.mixing, MIXINGS)


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


@dataclass
class Regulariser:
    """A term on the mixing weights, added to the objective of the architecture step."""

    weight: float = 0.0


@dataclass
class NoRegulariser(Regulariser):
    """Nothing added."""


@dataclass
class ZeroOneL1(Regulariser):
    """-mean |w - 1/2| (arXiv 2406.16949, equation 6)."""

    weight: float = 1.0


@dataclass
class ZeroOneL2(Regulariser):
    """-mean (w - 1/2)^2 (the form and the weight of the FairDARTS code)."""

    weight: float = 10.0


@dataclass
class Gradient:
    """How the architecture parameters get their gradient."""


@dataclass
class FirstOrder(Gradient):
    """Of the architecture loss at the current weights (DARTS with xi = 0)."""


@dataclass
class SecondOrder(Gradient):
    """Through one virtual weight step (DARTS, equations 6 to 8)."""

    perturbation: float = 0.01
    """epsilon times the norm of the weight gradient."""

    def __post_init__(self) -> None:
        require(self.perturbation > 0, f"gradient.perturbation={self.perturbation} must be above 0")


@dataclass
class Schedule:
    """How the architecture's learning rate moves over the epochs, p being the share that is over.

    The optimiser's rate and not the loss: Adam does not notice when a loss is scaled. Its coupled
    weight decay fades with the rate.
    """

    last: float = 0.0
    """Rate where the schedule's share is 0."""

    def __post_init__(self) -> None:
        require(self.last >= 0, f"schedule.last={self.last} must be 0 or more: it is a rate")


@dataclass
class Constant(Schedule):
    """DARTS."""


@dataclass
class Heterogeneous(Schedule):
    """(1 - p^2)^kappa: our reading of arXiv 2406.07028, whose text gives no formula."""

    kappa: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.kappa >= 0, f"schedule.kappa={self.kappa} must be 0 or more")


@dataclass
class LinearSchedule(Schedule):
    """1 - p."""


@dataclass
class CosineSchedule(Schedule):
    """(1 + cos(pi p)) / 2."""


@dataclass
class Freeze(Schedule):
    """1, and from some share of the run 0."""

    after: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.after <= 1, f"schedule.after={self.after} must lie in (0, 1]")


@dataclass
class Overlap(Schedule):
    """4 m (1 - m) with m = 1 - p^2: most where two branches count equally."""


@dataclass
class Increasing(Schedule):
    """p^2: the opposite of heterogeneous, as a control."""


@dataclass
class Confident(Schedule):
    """((epoch + 1) / epochs)^2: small while weights are young (B-DARTS)."""


@dataclass
class Selection:
    """How mixing weights become a genotype."""


@dataclass
class Top2(Selection):
    """The two strongest incoming edges of each node, the strongest operation on each (DARTS)."""


@dataclass
class ThresholdSparse(Selection):
    """`Top2`, less the operations below the threshold (FairDARTS)."""

    threshold: float = 0.85


@dataclass
class ThresholdEdge(Selection):
    """Up to two operations above the threshold on every edge (FairDARTS)."""

    threshold: float = 0.85


@dataclass
class RandomDraw(Selection):
    """Two edges a node and an operation on each, drawn uniformly from the seed: no search."""


def require_two_views(mix: Mix, objective: Objective) -> None:
    """Raise a `UserError` for two views that no objective compares, or one where two are needed."""
    require(
        isinstance(objective, MixtureConsistency) == isinstance(mix, MixupAndCutMix),
        "objective=mixture_consistency and mix=mixup_and_cutmix go together: it compares both "
        "views of an image, and no other objective sees the second; set both, or neither",
    )


def require_one_stream(branches: Branches, rebalancing: Sampler, *objectives: Objective) -> None:
    """Raise a `UserError` for branches without labels, and for a second stream without branch."""
    two = isinstance(branches, TwoBranches)
    require(
        two or isinstance(rebalancing, ReversedSampler),
        "rebalancing_sampler with branches=one: there is no second stream to draw; take "
        "branches=two, or sampler=... for the only one",
    )
    require(
        not (two and any(isinstance(objective, BarlowTwins) for objective in objectives)),
        "branches=two with objective=barlow_twins: the branches are mixed by their losses of "
        "labels; take branches=one, or an objective with labels",
    )


def require_cosines(key: str, objective: Objective, classifier: Classifier) -> None:
    """Raise a `UserError` for margins between logits that are no cosines."""
    require(
        not isinstance(objective, Ldam) or isinstance(classifier, CosineClassifier),
        f"{key}=ldam needs a normalised classifier, for its margins are those of cosines: add "
        "classifier=cosine",
    )


# --- optimisers, machine, logger ----------------------------------------------------------------


@dataclass
class WeightOptimiser:
    """SGD with momentum, its rate a cosine or steps by epoch."""

    learning_rate: float = 0.025
    final_learning_rate: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    clip: float | None = 5.0
    """Largest norm of the gradient of all weights; None: any."""
    nesterov: bool = False
    warmup_epochs: int = 0
    """First epochs, in which the rate grows linearly to what it would be without."""
    decay: str = "cosine"
    """Or `steps`: the rate is multiplied by `factor` at each share of the run in `steps`."""
    steps: list[float] = field(default_factory=lambda: [0.8, 0.9])
    factor: float = 0.01

    def __post_init__(self) -> None:
        require(
            self.learning_rate > 0, f"weights.learning_rate={self.learning_rate} must be above 0"
        )
        for key in ("final_learning_rate", "weight_decay", "warmup_epochs"):
            value = getattr(self, key)
            require(value >= 0, f"weights.{key}={value} must be 0 or more")
        require(0 <= self.momentum < 1, f"weights.momentum={self.momentum} must lie in [0, 1)")
        require(
            self.clip is None or self.clip > 0,
            f"weights.clip={self.clip} must be above 0, or null for none",
        )
        require(
            not self.nesterov or self.momentum > 0,
            "weights.nesterov=true with weights.momentum=0: there is no momentum to look ahead "
            "with; take weights.momentum=0.9",
        )
        require_choice("weights.decay", self.decay, ("cosine", "steps"))
        require(
            all(0 < step < 1 for step in self.steps),
            f"weights.steps={self.steps} must lie in (0, 1): shares of the run",
        )
        require(0 < self.factor <= 1, f"weights.factor={self.factor} must lie in (0, 1]")


@dataclass
class ArchitectureOptimiser:
    """Adam on the architecture parameters."""

    learning_rate: float = 3e-4
    beta1: float = 0.5
    beta2: float = 0.999
    weight_decay: float = 1e-3

    def __post_init__(self) -> None:
        require(
            self.learning_rate > 0,
            f"architecture.learning_rate={self.learning_rate} must be above 0",
        )
        for key in ("beta1", "beta2"):
            value = getattr(self, key)
            require(0 <= value < 1, f"architecture.{key}={value} must lie in [0, 1)")
        require(
            self.weight_decay >= 0,
            f"architecture.weight_decay={self.weight_decay} must be 0 or more",
        )


@dataclass
class Trainer:
    """The machine."""

    accelerator: str = "auto"
    devices: int = 1
    threads: int | None = None
    """Of torch on the CPU; None leaves its choice."""

    def __post_init__(self) -> None:
        require_choice("trainer.accelerator", self.accelerator, ("auto", "cpu", "gpu"))
        require(self.devices >= 1, f"trainer.devices={self.devices} must be 1 or more")
        require(
            self.threads is None or self.threads >= 1,
            f"trainer.threads={self.threads} must be 1 or more; leave it out for torch's choice",
        )


@dataclass
class Logger:
    """Where numbers go besides the csv files that each run writes."""

    kind: str = "csv"
    project: str = "ltnas"
    entity: str | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        require_choice("logger.kind", self.kind, ("csv", "wandb", "tensorboard", "none"))


# --- the two commands ---------------------------------------------------------------------------


@dataclass
class Run:
    """What both commands share."""

    data: Data = field(default_factory=Data)
    imbalance: Imbalance = field(default_factory=Imbalance)
    trainer: Trainer = field(default_factory=Trainer)
    logger: Logger = field(default_factory=Logger)
    weights: WeightOptimiser = field(default_factory=WeightOptimiser)
    seed: int = 0
    epochs: int = 40
    batch_size: int = 64
    channels: int = 16
    cells: int = 8
    limit_batches: int | None = None
    """Batches an epoch at most; None: all."""
    resume: str = "never"
    """`auto` goes on with the newest unfinished run of this configuration; a folder, with that."""
    precision: str = "32"
    compile: bool = False
    """Whether torch.compile makes kernels of each cell."""
    runs: str = "runs"
    """Folder in which each run makes its own."""

    def __post_init__(self) -> None:
        require(
            self.precision != "16-mixed",
            "precision=16-mixed is not offered: its loss scaling would reach both optimisers and "
            "the gradient clip; take precision=bf16-mixed (no scaling needed) or precision=32",
        )
        require_choice("precision", self.precision, ("32", "bf16-mixed"))
        require_seed("seed", self.seed)
        for key, value in (("epochs", self.epochs), ("cells", self.cells)):
            require(value >= 1, f"{key}={value} must be 1 or more")
        require(self.batch_size >= 2, f"batch_size={self.batch_size}: BatchNorm needs 2 or more")
        require(
            self.batch_size % self.trainer.devices == 0,
            f"batch_size={self.batch_size} is that of all devices together: it must be a multiple "
            f"of trainer.devices={self.trainer.devices}",
        )
        require(
            self.channels >= 2 and self.channels % 2 == 0,
            f"channels={self.channels} must be even and 2 or more: reduction cells build their "
            "output from two halves",
        )
        require(
            self.limit_batches is None or self.limit_batches >= 1,
            f"limit_batches={self.limit_batches} must be 1 or more; leave it out for all batches",
        )


@dataclass
class SearchConfig(Run):
    """`python -m ltnas.search`."""

    scheme: str = "darts"
    space: Space = field(default_factory=Space)
    relaxation: Relaxation = field(default_factory=Softmax)
    objective: Objective = field(default_factory=CrossEntropy)
    architecture_objective: Objective = field(default_factory=Same)
    """Of the architecture step."""
    sampler: Sampler = field(default_factory=InstanceSampler)
    architecture_sampler: Sampler = field(default_factory=Same)
    branches: Branches = field(default_factory=OneBranch)
    rebalancing_sampler: Sampler = field(default_factory=ReversedSampler)
    """Of the second branch."""
    classifier: Classifier = field(default_factory=LinearClassifier)
    regulariser: Regulariser = field(default_factory=NoRegulariser)
    gradient: Gradient = field(default_factory=FirstOrder)
    schedule: Schedule = field(default_factory=Constant)
    selection: Selection = field(default_factory=Top2)
    architecture: ArchitectureOptimiser = field(default_factory=ArchitectureOptimiser)
    checkpoint_cells: bool = False
    """Whether backward computes each cell again instead of keeping what is inside."""

    def __post_init__(self) -> None:
        super().__post_init__()
        zero_one = isinstance(self.regulariser, ZeroOneL1 | ZeroOneL2)
        require(
            not (zero_one and isinstance(self.relaxation, Softmax)),
            "regulariser=zero_one_* with relaxation=softmax: softmax weights cannot all be 0 or 1 "
            "and several operations tie; take relaxation=sigmoid or regulariser=none",
        )
        thresholded = isinstance(self.selection, ThresholdSparse | ThresholdEdge)
        require(
            not (thresholded and isinstance(self.relaxation, Softmax)),
            "selection=threshold_* with relaxation=softmax: weights that sum to one rarely reach "
            "a threshold; take relaxation=sigmoid or selection=top2",
        )
        own = self.architecture_objective
        require(
            not isinstance(own, BarlowTwins) or isinstance(self.objective, BarlowTwins),
            "architecture_objective=barlow_twins without objective=barlow_twins: its projector "
            "would never learn; take objective=barlow_twins, for both steps",
        )
        require_cosines("objective", self.objective, self.classifier)
        require_cosines("architecture_objective", own, self.classifier)
        require(
            not isinstance(self.objective, MixtureConsistency)
            and not isinstance(own, MixtureConsistency),
            "objective=mixture_consistency is for ltnas.retrain, where images are mixed: take "
            "another for a search",
        )
        require_one_stream(self.branches, self.rebalancing_sampler, self.objective)


@dataclass
class NetworkChoice:
    """What is trained."""


@dataclass
class SearchedNetwork(NetworkChoice):
    """That of `genotype`, with `channels`, `cells`, `stem`, `drop_path` and `auxiliary`."""


@dataclass
class ResNet32(NetworkChoice):
    """The residual network that the field trains on small images (He et al. 2016, section 4.2)."""

    depth: int = 32
    """Layers with weights: 20, 32, 44, ..."""
    width: int = 16
    """Channels of the first stage; 64 in some papers, with sixteen times the parameters."""

    def __post_init__(self) -> None:
        require(
            self.depth >= 8 and self.depth % 6 == 2,
            f"network.depth={self.depth} must be 6 n + 2: 8, 14, 20, 32, 44, 56, ...",
        )
        require(self.width >= 1, f"network.width={self.width} must be 1 or more")


@dataclass
class ResNet20(ResNet32):
    """The smaller one."""

    depth: int = 20


@dataclass
class ClassifierStage:
    """A second stage in which the classifier alone is trained (cRT, Kang et al. 2020)."""

    epochs: int = 0
    """0: no second stage."""
    learning_rate: float = 0.1
    fresh: bool = True
    """Whether the classifier is drawn anew."""

    def __post_init__(self) -> None:
        require(self.epochs >= 0, f"crt.epochs={self.epochs} must be 0 or more")
        require(self.learning_rate > 0, f"crt.learning_rate={self.learning_rate} must be above 0")


@dataclass
class RetrainConfig(Run):
    """`python -m ltnas.retrain`."""

    network: NetworkChoice = field(default_factory=SearchedNetwork)
    genotype: str = ""
    objective: Objective = field(default_factory=CrossEntropy)
    sampler: Sampler = field(default_factory=InstanceSampler)
    branches: Branches = field(default_factory=OneBranch)
    rebalancing_sampler: Sampler = field(default_factory=ReversedSampler)
    """Of the second branch."""
    classifier: Classifier = field(default_factory=LinearClassifier)
    mix: Mix = field(default_factory=NoMix)
    augmentation: Augmentation = field(default_factory=PlainAugmentation)
    sharpness: float = 0.0
    """Radius of sharpness-aware minimisation (Foret et al. 2021); 0: none."""
    averaging: float = 0.0
    """Decay, by step, of an average of the weights that is tested and kept; 0: none."""
    crt: ClassifierStage = field(default_factory=ClassifierStage)
    crt_objective: Objective = field(default_factory=CrossEntropy)
    crt_sampler: Sampler = field(default_factory=ClassBalancedSampler)
    adjust: float = 0.0
    """tau of logit adjustment after training; 0: none."""
    epochs: int = 150
    channels: int = 36
    cells: int = 20
    weights: WeightOptimiser = field(
        default_factory=lambda: WeightOptimiser(final_learning_rate=0.0)
    )
    stem: str = "cifar"
    drop_path: float = 0.2
    """Probability in the last epoch; it grows linearly from 0."""
    auxiliary: float = 0.4
    """Weight of the auxiliary classifier; 0 leaves it out."""
    cutout: int = 16
    """Side of the erased square in pixels; 0: none."""
    pretrain: str = "none"
    pretrain_epochs: int = 0
    barlow_twins: BarlowTwins = field(default_factory=BarlowTwins)
    """Of `pretrain=barlow_twins`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_network()
        require(
            isinstance(self.objective, Classification),
            "objective=barlow_twins has no labels to train the classifier with: take "
            "pretrain=barlow_twins pretrain_epochs=50, and an objective with labels",
        )
        require_cosines("objective", self.objective, self.classifier)
        require_cosines("crt_objective", self.crt_objective, self.classifier)
        require_two_views(self.mix, self.objective)
        self._check_adjustment()
        self._check_second_stage()
        require(self.sharpness >= 0, f"sharpness={self.sharpness} must be 0 or more: a radius")
        require(0 <= self.averaging < 1, f"averaging={self.averaging} must lie in [0, 1)")
        require_choice("stem", self.stem, ("cifar", "imagenet"))
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
        moves = isinstance(self.objective, VectorScaling) and self.objective.tau > 0
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
