"""The relaxation axis: how architecture parameters become mixing weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ltnas.config.requirements import require


@dataclass
class Relaxation:
    """Base of the values on the relaxation axis."""

    sums_to_one: ClassVar[bool] = True
    """False if each operation of an edge has a gate of its own."""

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


RELAXATIONS: dict[str, type[Relaxation]] = {"softmax": Softmax, "sigmoid": Sigmoid}
