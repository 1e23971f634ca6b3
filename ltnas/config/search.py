"""`python -m ltnas.search`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.combinations import require_cosines, require_one_stream
from ltnas.config.models import Branches, Classifier, LinearClassifier, OneBranch
from ltnas.config.objectives import BarlowTwins, CrossEntropy, MixtureConsistency, Objective
from ltnas.config.requirements import require
from ltnas.config.run import ArchitectureOptimiser, Run
from ltnas.config.space import (
    Constant,
    FirstOrder,
    Gradient,
    NoRegulariser,
    Regulariser,
    Relaxation,
    Schedule,
    Selection,
    Softmax,
    Space,
    ThresholdEdge,
    ThresholdSparse,
    Top2,
    ZeroOneL1,
    ZeroOneL2,
)
from ltnas.config.streams import InstanceSampler, ReversedSampler, Same, Sampler


@dataclass
class Collapse:
    """What counts as a collapse of a search, and what is measured to see one."""

    skip_share: float = 0.5
    """Of the normal cell's operations, from which on they are too many."""
    patience: int = 3
    """Epochs in a row with that many."""
    hessian_every: int = 5
    """Epochs from one measurement of the Hessian's largest eigenvalue to the next; 0: none."""

    def __post_init__(self) -> None:
        require(
            0 < self.skip_share <= 1, f"collapse.skip_share={self.skip_share} must lie in (0, 1]"
        )
        require(self.patience >= 1, f"collapse.patience={self.patience} must be 1 or more epochs")
        require(
            self.hessian_every >= 0,
            f"collapse.hessian_every={self.hessian_every} must be 0 (never) or more epochs",
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
    collapse: Collapse = field(default_factory=Collapse)
    stop_on_collapse: bool = False
    """Whether a collapse ends the search, its result the genotype of the last epoch before."""
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
