"""The perturbation axis: noise on the mixing weights of the weight step (SmoothDARTS)."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class Perturbation:
    """Base of the values on the perturbation axis (SmoothDARTS, Chen and Hsieh 2020).

    In the weight step each mixing weight moves by at most epsilon, which grows linearly over the
    epochs, and stays in the range of its relaxation. The architecture step is not perturbed.
    """

    # Both are of the authors' code.
    first_epsilon: float = 0.03
    """Largest change of a mixing weight in the first epoch."""
    epsilon: float = 0.3
    """Largest change of a mixing weight at the end of the search."""

    def __post_init__(self) -> None:
        require(
            0 <= self.first_epsilon <= self.epsilon <= 1,
            f"perturbation.first_epsilon={self.first_epsilon} perturbation.epsilon={self.epsilon} "
            "must lie in [0, 1], and the second must not be the smaller: lower the first, too",
        )


@dataclass
class NoPerturbation(Perturbation):
    """The mixing weights of the relaxation in both steps."""


@dataclass
class RandomPerturbation(Perturbation):
    """A change drawn uniformly from [-epsilon, epsilon] for each mixing weight (SDARTS-RS)."""


@dataclass
class AdversarialPerturbation(Perturbation):
    """The change that raises the training loss most, by projected gradient ascent (SDARTS-ADV)."""

    # Of the authors' code. A step costs a forward and a backward pass, so that the weight step
    # takes about as long as eight.
    steps: int = 7
    """Number of steps of gradient ascent."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.steps >= 1, f"perturbation.steps={self.steps} must be 1 or more")


PERTURBATIONS: dict[str, type[Perturbation]] = {
    "none": NoPerturbation,
    "random": RandomPerturbation,
    "adversarial": AdversarialPerturbation,
}
