"""Configuration of `python -m ltnas.search`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.auxiliary_skip import AUXILIARY_SKIPS, AuxiliarySkip
from ltnas.config.axis import axis, choices
from ltnas.config.branches import BRANCHES, Branches
from ltnas.config.classifier import CLASSIFIERS, Classifier
from ltnas.config.combinations import (
    require_cosines,
    require_one_stream,
    require_two_blocks,
)
from ltnas.config.data import Data
from ltnas.config.edges import EDGES, Edges
from ltnas.config.gradient import GRADIENTS, Gradient
from ltnas.config.learners import SECOND, require_fitting_learners, require_two_data_sets
from ltnas.config.levels import LEVELS, Levels
from ltnas.config.macro import MACROS, BroadCells, Macro
from ltnas.config.network import SECOND_NETWORKS, STEMS, NetworkChoice
from ltnas.config.objective import (
    ARCHITECTURE_OBJECTIVES,
    OBJECTIVES,
    SECOND_OBJECTIVES,
    MixtureConsistency,
    Objective,
    SelfSupervised,
)
from ltnas.config.operation_stopping import OPERATION_STOPPINGS, OperationStopping
from ltnas.config.optimisers import ArchitectureOptimiser
from ltnas.config.perturbation import PERTURBATIONS, NoPerturbation, Perturbation
from ltnas.config.progression import PROGRESSIONS, Deepen, Progression, Staged, Widen
from ltnas.config.regulariser import REGULARISERS, Regulariser
from ltnas.config.relaxation import RELAXATIONS, Dirichlet, Relaxation
from ltnas.config.requirements import require, require_choice
from ltnas.config.run import Run
from ltnas.config.sampler import ARCHITECTURE_SAMPLERS, SAMPLERS, SECOND_SAMPLERS, Sampler
from ltnas.config.schedule import SCHEDULES, Schedule
from ltnas.config.selection import SELECTIONS, Removal, Selection
from ltnas.config.space import NOISE, PARAMETRIC, Space
from ltnas.config.weight_norm import WEIGHT_NORMS, WeightNorm

COLLAPSE_RULES = ("skips", "eigenvalue")
"""Rules by which a search has collapsed."""


@dataclass
class Collapse:
    """Definition of a collapse of the search, and measurements that announce one."""

    rules: list[str] = field(default_factory=lambda: list(COLLAPSE_RULES))
    """Rules of which one is enough for a collapse: `skips`, too many skip connections, and
    `eigenvalue`, a largest eigenvalue of the Hessian that has grown."""
    skip_share: float = 0.5
    """Share of skip connections in the normal cell's operations from which on they are too many."""
    patience: int = 3
    """Number of successive epochs with too many skip connections that make a collapse."""
    # A measurement costs twenty-four gradients: every fifth epoch, about a fortieth of the time.
    hessian_every: int = 5
    """Number of epochs between measurements of the Hessian's largest eigenvalue; 0: none."""

    def __post_init__(self) -> None:
        require(
            len(self.rules) > 0 and set(self.rules) <= set(COLLAPSE_RULES),
            f"collapse.rules={self.rules} must name one or more of {', '.join(COLLAPSE_RULES)}",
        )
        require(
            self.rules != ["eigenvalue"] or self.hessian_every > 0,
            "collapse.rules=['eigenvalue'] with collapse.hessian_every=0: nothing is measured that "
            "the rule could read; take collapse.hessian_every=1",
        )
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
    """Configuration of `python -m ltnas.search`."""

    # The defaults are first-order DARTS; a scheme's file only picks other values of the axes.
    scheme: str = "darts"
    """Name of the scheme, for tables and folder names."""
    space: Space = field(default_factory=Space)
    macro: Macro = axis(MACROS, "cells")
    stem: str = "auto"
    """First layers of supernets: `cifar` keeps the resolution, `imagenet` reduces it eightfold;
    `auto` is `imagenet` for images of 96 pixels or more, else `cifar`."""
    relaxation: Relaxation = axis(RELAXATIONS, "softmax")
    edges: Edges = axis(EDGES, "plain")
    auxiliary_skip: AuxiliarySkip = axis(AUXILIARY_SKIPS, "none")
    partial_channels: int = 1
    """K: candidate operations see 1/K of the channels of a state (PC-DARTS); 1: all."""
    weight_norm: WeightNorm = axis(WEIGHT_NORMS, "none")
    perturbation: Perturbation = axis(PERTURBATIONS, "none")
    operation_stopping: OperationStopping = axis(OPERATION_STOPPINGS, "none")
    objective: Objective = axis(OBJECTIVES, "cross_entropy")
    architecture_objective: Objective = axis(ARCHITECTURE_OBJECTIVES, "same")
    """Objective of the architecture step."""
    sampler: Sampler = axis(SAMPLERS, "instance_balanced")
    architecture_sampler: Sampler = axis(ARCHITECTURE_SAMPLERS, "same")
    """Sampler of the images of the architecture step."""
    branches: Branches = axis(BRANCHES, "one")
    rebalancing_sampler: Sampler = axis(SAMPLERS, "reversed")
    """Sampler of the images of the second branch."""
    levels: Levels = axis(LEVELS, "two")
    second_network: NetworkChoice = axis(SECOND_NETWORKS, SECOND["second_network"])
    """Network of the student, of the audience or of the other interleaved learners."""
    second_objective: Objective = axis(SECOND_OBJECTIVES, SECOND["second_objective"])
    """Objective of these learners."""
    second_sampler: Sampler = axis(SECOND_SAMPLERS, SECOND["second_sampler"])
    """Sampler of the images of these learners."""
    second_data: Data | None = None
    """Images of the interleaved learners beside the first; None: those of the first."""
    classifier: Classifier = axis(CLASSIFIERS, "linear")
    regulariser: Regulariser = axis(REGULARISERS, "none")
    gradient: Gradient = axis(GRADIENTS, "first_order")
    schedule: Schedule = axis(SCHEDULES, "constant")
    progression: Progression = axis(PROGRESSIONS, "none")
    selection: Selection = axis(SELECTIONS, "top2")
    architecture: ArchitectureOptimiser = field(default_factory=ArchitectureOptimiser)
    collapse: Collapse = field(default_factory=Collapse)
    stop_on_collapse: bool = False
    """True to end the search at a collapse, with the genotype of the last epoch before it."""
    checkpoint_cells: bool = False
    """True to recompute each cell in the backward pass instead of storing its activations."""

    def __post_init__(self) -> None:
        super().__post_init__()
        # Combinations that would run but give no meaningful genotype are refused here, before data
        # is loaded.
        names = choices(self)
        require_choice("stem", self.stem, STEMS)
        require(
            not (self.regulariser.needs_gates and self.relaxation.sums_to_one),
            f"regulariser={names['regulariser']} with relaxation={names['relaxation']}: weights "
            "that sum to one cannot all be 0 or 1 and several operations tie; take "
            "relaxation=sigmoid or regulariser=none",
        )
        require(
            not (self.selection.needs_gates and self.relaxation.sums_to_one),
            f"selection={names['selection']} with relaxation={names['relaxation']}: weights that "
            "sum to one rarely reach a threshold; take relaxation=sigmoid or selection=top2",
        )
        self._check_macro()
        self._check_mixing_weights(names)
        self._check_stages(names)
        self._check_measured(names)
        self._check_noise(names)
        self._check_weight_step(names)
        require_fitting_learners(self.levels, self.gradient, names)
        require_two_data_sets(self.levels, self.second_data)
        architecture_objective = self.architecture_objective
        unlabelled = names["architecture_objective"]
        require(
            not isinstance(architecture_objective, SelfSupervised)
            or names["objective"] == unlabelled,
            f"architecture_objective={unlabelled} without objective={unlabelled}: its own layers "
            f"would never learn; take objective={unlabelled}, for both steps",
        )
        require_cosines("objective", self.objective, self.classifier)
        require_cosines("architecture_objective", architecture_objective, self.classifier)
        require_cosines("second_objective", self.second_objective, self.classifier)
        require(
            not isinstance(self.objective, MixtureConsistency)
            and not isinstance(architecture_objective, MixtureConsistency)
            and not isinstance(self.second_objective, MixtureConsistency),
            "objective=mixture_consistency is for ltnas.retrain, where images are mixed: take "
            "another for a search",
        )
        require(
            not (isinstance(self.selection, Removal) and self.relaxation.one_operation),
            f"selection={names['selection']} with relaxation={names['relaxation']}: it measures "
            "what a mixture of operations loses without one of them, and there is no mixture; take "
            "selection=sampled or selection=evolution",
        )
        require_one_stream(self.branches, self.rebalancing_sampler, self.objective)

    def _check_macro(self) -> None:
        """Raise a `UserError` for sizes and a space that do not fit the macro-network."""
        if not isinstance(self.macro, BroadCells):
            return
        require_two_blocks(self.cells)
        require(
            self.space.reduce_edges is None,
            "space.reduce_edges with macro=broad, which has no reduction cells: take "
            "space.reduce_edges=null, or macro=cells",
        )

    def _check_stages(self, names: dict[str, str]) -> None:
        """Raise a `UserError` for stages of a search that do not fit the other settings.

        Args:
            names: name of the value on each axis.
        """
        progression = self.progression
        if not isinstance(progression, Staged):
            return
        require(
            progression.operations[0] >= len(self.space.operations),
            f"progression.operations={progression.operations} begins with fewer than the "
            f"{len(self.space.operations)} operations of the space: nothing is known about them "
            "yet; begin with all of them",
        )
        given = progression.epochs
        require(
            given is None or sum(given) == self.epochs,
            f"progression.epochs={given} adds up to {sum(given or [])}, not to epochs="
            f"{self.epochs}: change one of them, or take progression.epochs=null for equal parts",
        )
        require(
            progression.stages <= self.epochs,
            f"progression={names['progression']} has {progression.stages} stages, and there are "
            f"only epochs={self.epochs}: take more epochs",
        )
        require(
            self.selection.reads_weights,
            f"progression={names['progression']} with selection={names['selection']}: no supernet "
            "is trained; take progression=none",
        )
        if isinstance(progression, Widen):
            require(
                self.partial_channels == 1,
                f"partial_channels={self.partial_channels} with progression=widen, whose stages "
                "have progression.partial_channels: leave the first at 1",
            )
            for share in progression.partial_channels:
                require(
                    self.channels % share == 0,
                    f"progression.partial_channels={progression.partial_channels}: {share} does "
                    f"not divide channels={self.channels}; take a multiple, such as channels="
                    f"{share * max(2, -(-self.channels // share))}",
                )
        if isinstance(progression, Deepen) and any(progression.skip_dropout):
            require(
                not self.checkpoint_cells,
                "checkpoint_cells=true with progression.skip_dropout: dropout would differ when a "
                "cell is computed again; set progression.skip_dropout to zeros, or "
                "checkpoint_cells=false",
            )
            require(
                not self.gradient.full_precision,
                f"gradient={names['gradient']} with progression.skip_dropout: its passes would "
                "drop different elements; set progression.skip_dropout to zeros",
            )

    def _check_mixing_weights(self, names: dict[str, str]) -> None:
        """Raise a `UserError` for values on the axes of mixing weights that do not fit together.

        Args:
            names: name of the value on each axis.
        """
        require(
            not self.regulariser.needs_dirichlet or isinstance(self.relaxation, Dirichlet),
            f"regulariser={names['regulariser']} with relaxation={names['relaxation']}: it "
            "compares Dirichlet distributions; take relaxation=dirichlet, or regulariser=none",
        )
        require(
            self.partial_channels >= 1 and self.channels % self.partial_channels == 0,
            f"partial_channels={self.partial_channels} does not divide channels={self.channels}: "
            "each operation sees channels / partial_channels of them; take a divisor",
        )
        most = self.selection.most_skips
        require(
            most is None or most <= 2 * self.space.nodes,
            f"selection.most_skips={most} is more than the {2 * self.space.nodes} edges of a cell: "
            "take fewer, or null for no limit",
        )
        bilevel = self.gradient.needs_images
        require(
            bilevel
            or (names["architecture_objective"], names["architecture_sampler"]) == ("same", "same"),
            f"gradient={names['gradient']} has no architecture step of its own: leave "
            "architecture_objective and architecture_sampler at same",
        )
        require(
            self.gradient.moves_parameters or names["regulariser"] == "none",
            f"regulariser={names['regulariser']} with gradient={names['gradient']}: no gradient "
            "would pass through it; take regulariser=none",
        )

    def _check_measured(self, names: dict[str, str]) -> None:
        """Raise a `UserError` for what does not fit to mixing weights that are measured.

        Args:
            names: name of the value on each axis.
        """
        measured, relaxation = self.relaxation.measured, f"relaxation={names['relaxation']}"
        others = [name for name in self.space.operations if name not in PARAMETRIC]
        require(
            not (measured and others),
            f"space.operations with {', '.join(others)} and {relaxation}: only convolutions have a "
            "rank; take space=convolutions",
        )
        require(
            not (measured and self.gradient.moves_parameters),
            f"gradient={names['gradient']} with {relaxation}: there are no architecture parameters "
            "that it could move; take gradient=none",
        )
        require(
            not (measured and names["edges"] != "plain"),
            f"edges={names['edges']} with {relaxation}: no gradient would move their parameters; "
            "take edges=plain",
        )

    def _check_noise(self, names: dict[str, str]) -> None:
        """Raise a `UserError` for what cannot be computed with noise in the space.

        Args:
            names: name of the value on each axis.
        """
        noisy = NOISE in self.space.operations
        require(
            not (noisy and self.gradient.compares_passes),
            f"gradient={names['gradient']} with noise in space.operations: it takes differences of "
            "passes, and each pass draws other noise; take gradient=first_order",
        )
        require(
            not (noisy and self.checkpoint_cells),
            "checkpoint_cells=true with noise in space.operations: a cell that is computed again "
            "would draw other noise; take checkpoint_cells=false",
        )

    def _check_weight_step(self, names: dict[str, str]) -> None:
        """Raise a `UserError` for values that change the weight step in ways that do not fit.

        Args:
            names: name of the value on each axis.
        """
        perturbed = not isinstance(self.perturbation, NoPerturbation)
        require(
            not (perturbed and self.relaxation.one_operation),
            f"perturbation={names['perturbation']} with relaxation={names['relaxation']}: a single "
            "operation of each edge is computed, with weight one; take perturbation=none",
        )
        require(
            not perturbed or self.gradient.needs_images or not self.gradient.moves_parameters,
            f"perturbation={names['perturbation']} with gradient={names['gradient']}: one loss "
            "moves weights and architecture, which is not to be perturbed; take perturbation=none",
        )
        require(
            not self.operation_stopping.needs_images or self.gradient.needs_images,
            f"operation_stopping={names['operation_stopping']} with gradient={names['gradient']}: "
            "the architecture has no images of its own to compare gradients on; take "
            "gradient=first_order, or operation_stopping=none",
        )
