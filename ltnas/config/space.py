"""Axes of a search: space, relaxation, regulariser, gradient, schedule, selection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ltnas.config.requirements import require, require_choice

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
PARAMETRIC = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
"""Candidate operations that have weights at every stride."""


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

    reads_weights: ClassVar[bool] = True
    """False for a selection that needs no trained supernet."""


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

    reads_weights: ClassVar[bool] = False
