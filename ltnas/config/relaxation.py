"""The relaxation axis: how architecture parameters become mixing weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ltnas.config.requirements import require, require_choice


@dataclass
class Relaxation:
    """Base of the values on the relaxation axis."""

    sums_to_one: ClassVar[bool] = True
    """False if each operation of an edge has a gate of its own."""
    one_operation: ClassVar[bool] = False
    """True if a single operation of each edge is computed."""
    measured: ClassVar[bool] = False
    """True if mixing weights are measured on convolutions, without architecture parameters."""

    # Of DARTS: operations start with almost equal weights.
    initial_deviation: float = 1e-3
    """Standard deviation of the normal distribution that architecture parameters start from."""

    def __post_init__(self) -> None:
        require(
            self.initial_deviation >= 0,
            f"relaxation.initial_deviation={self.initial_deviation} must be 0 or more",
        )


@dataclass
class Softmax(Relaxation):
    """Softmax over the operations of an edge, which compete (DARTS, equation 2)."""


@dataclass
class Sigmoid(Relaxation):
    """An independent sigmoid gate for each operation (FairDARTS); all gates start half open."""

    # As in the code of FairDARTS: 1/2 is the point where the zero-one loss prefers no side.
    sums_to_one: ClassVar[bool] = False
    initial_deviation: float = 0.0


@dataclass
class Dirichlet(Relaxation):
    """A sample of a Dirichlet distribution for each edge (DrNAS)."""


@dataclass
class Gumbel(Relaxation):
    """Samples of the Gumbel-softmax distribution, with weights on all operations (SNAS)."""

    # Of the code of SNAS, which starts from N(1, 0.01); the mean changes no softmax.
    initial_deviation: float = 0.01
    first_temperature: float = 1.0
    """Temperature of the first epoch; it falls linearly."""
    last_temperature: float = 0.03
    """Temperature of the last epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("first_temperature", "last_temperature"):
            value = getattr(self, key)
            require(
                value > 0,
                f"relaxation.{key}={value} must be above 0: the noise is divided by it",
            )


@dataclass
class HardGumbel(Gumbel):
    """One operation of each edge, drawn with its probability; no other is computed (GDAS)."""

    one_operation: ClassVar[bool] = True
    # Of the code of GDAS; its paper ends at 1.
    initial_deviation: float = 1e-3
    first_temperature: float = 10.0
    last_temperature: float = 0.1
    estimator: str = "straight_through"
    """Gradient of a sample: `straight_through` (GDAS), or `reinmax` (Liu et al. 2023)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("relaxation.estimator", self.estimator, ("straight_through", "reinmax"))


@dataclass
class StableRank(Relaxation):
    """softmax(-stable rank / temperature), measured on the supernet once an epoch (MSR-DARTS)."""

    measured: ClassVar[bool] = True
    # There are no architecture parameters.
    initial_deviation: float = 0.0
    # Ranks lie between 1 and the number of channels; our choice.
    temperature: float = 1.0
    """What ranks are divided by; the larger, the more equal are the mixing weights."""
    scale: str = "matrix"
    """`matrix`: ranks |W|_F^2 / |W|_2^2 of 1x1 convolutions; `published`: those times pixels."""

    def __post_init__(self) -> None:
        require(
            self.initial_deviation == 0,
            f"relaxation.initial_deviation={self.initial_deviation} with relaxation=stable_rank: "
            "there are no architecture parameters to draw; leave it out",
        )
        require(self.temperature > 0, f"relaxation.temperature={self.temperature} must be above 0")
        require_choice("relaxation.scale", self.scale, ("matrix", "published"))


RELAXATIONS: dict[str, type[Relaxation]] = {
    "softmax": Softmax,
    "sigmoid": Sigmoid,
    "dirichlet": Dirichlet,
    "gumbel": Gumbel,
    "hard_gumbel": HardGumbel,
    "stable_rank": StableRank,
}
