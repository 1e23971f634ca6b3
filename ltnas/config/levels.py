"""The levels axis: the learners of a search, and how they depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ltnas.config.requirements import require, require_choice

EXPLANATIONS = ("differentiated", "detached")
"""Ways of making an explanation: one ascent step that gradients pass, or a constant attack."""


@dataclass
class Levels:
    """Base of the values on the levels axis."""

    second_learner: ClassVar[bool] = True
    """True if there is a learner beside the supernet."""
    needs_labels: ClassVar[bool] = True
    """True if the classifiers of its learners must learn from labels."""


@dataclass
class TwoLevels(Levels):
    """Weights, and architecture (DARTS, equations 3 and 4)."""

    second_learner: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False


@dataclass
class Teaching(Levels):
    """A student learns from what the supernet says of images without labels (arXiv 2103.07009).

    The architecture's loss is that of the supernet and of the student after a step of each. That
    the images without labels are those of the architecture's half is our reading.
    """

    pseudo_label_weight: float = 1.0
    """Weight of the loss on pseudo-labels beside that on labels, lambda in the paper."""
    student_weight: float = 1.0
    """Weight of the student's loss in the architecture step, gamma in the paper."""
    prior_correction: float = 0.0
    """Multiple of the log share of each class that is subtracted from the logits before they become
    pseudo-labels; 0: none. For long tails, and not a part of the paper."""

    def __post_init__(self) -> None:
        for key in ("pseudo_label_weight", "student_weight", "prior_correction"):
            value = getattr(self, key)
            require(value >= 0, f"levels.{key}={value} must be 0 or more")


@dataclass
class SelfExplanation(Levels):
    """An audience learns from images times what the supernet is sensitive to (arXiv 2012.12899).

    The architecture's loss is that of the supernet and of the audience after a step of each.
    """

    audience_weight: float = 1.0
    """Weight of the audience's loss in the architecture step, gamma in the paper."""
    explanation: str = "differentiated"
    """`differentiated`: one ascent step on the loss, which the gradient of the architecture passes
    through; `detached`: projected ascent by signs, a constant (Saliency-Aware NAS)."""
    radius: float = 8 / 255
    """Largest change of a pixel in [0, 1] by a detached explanation."""
    step: float = 2 / 255
    """Change of a pixel in one step of a detached explanation."""
    steps: int = 7
    """Number of steps of a detached explanation."""

    def __post_init__(self) -> None:
        require_choice("levels.explanation", self.explanation, EXPLANATIONS)
        require(
            self.audience_weight >= 0,
            f"levels.audience_weight={self.audience_weight} must be 0 or more",
        )
        for key in ("radius", "step"):
            value = getattr(self, key)
            require(value > 0, f"levels.{key}={value} must be above 0: pixels lie in [0, 1]")
        require(self.steps >= 1, f"levels.steps={self.steps} must be 1 or more")


@dataclass
class Interleaving(Levels):
    """Learners of one architecture learn in turn, each near the one before it (arXiv 2103.07018).

    The architecture's loss is the sum of the learners' losses after all rounds. That learners share
    images, each with its sampler, and that they are pulled by a proximal step, is our reading.
    """

    needs_labels: ClassVar[bool] = False
    learners: int = 2
    """Number of learners, K in the paper; all but the first have `second_sampler` and
    `second_objective`."""
    rounds: int = 2
    """Number of rounds of virtual steps, M in the paper."""
    pull: float = 1.0
    """Weight of the squared distance to the learner before, lambda in the paper; classifiers are
    not pulled."""
    depth: int | None = None
    """Number of virtual steps, the last ones, that the gradient of the architecture goes through;
    null: all."""

    def __post_init__(self) -> None:
        for key in ("learners", "rounds"):
            value = getattr(self, key)
            require(value >= 1, f"levels.{key}={value} must be 1 or more")
        require(self.pull >= 0, f"levels.pull={self.pull} must be 0 or more")
        require(
            self.depth is None or self.depth >= 1,
            f"levels.depth={self.depth} must be 1 or more, or null for all virtual steps; for none "
            "take gradient=first_order",
        )


LEVELS: dict[str, type[Levels]] = {
    "two": TwoLevels,
    "teaching": Teaching,
    "self_explanation": SelfExplanation,
    "interleaving": Interleaving,
}
