"""The gradient axis: how the architecture parameters get their gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ltnas.config.requirements import require


@dataclass
class Gradient:
    """Base of the values on the gradient axis."""

    full_precision: ClassVar[bool] = False
    """True if its passes run in fp32 even under mixed precision."""
    needs_images: ClassVar[bool] = True
    """False if the architecture sees no images of its own: the weights then see all of them."""
    moves_parameters: ClassVar[bool] = True
    """False if the architecture parameters have no gradient at all."""
    compares_passes: ClassVar[bool] = False
    """True if it takes differences of passes, in which operations must not draw new noise."""


@dataclass
class FirstOrder(Gradient):
    """Gradient of the architecture loss at the current network weights (DARTS with xi = 0)."""


@dataclass
class SecondOrder(Gradient):
    """Gradient through the virtual steps of all levels; for two levels DARTS, equations 6 to 8."""

    # Finite differences lose precision in bf16.
    full_precision: ClassVar[bool] = True
    compares_passes: ClassVar[bool] = True
    perturbation: float = 0.01
    """Norm of the perturbation of the weights in the finite difference (DARTS, equation 8)."""

    def __post_init__(self) -> None:
        require(self.perturbation > 0, f"gradient.perturbation={self.perturbation} must be above 0")


@dataclass
class SingleLevel(Gradient):
    """Gradient of the loss that the network weights minimise, in the same pass (SNAS)."""

    needs_images: ClassVar[bool] = False


@dataclass
class NoGradient(Gradient):
    """No gradient: the architecture parameters stay as they are, or there are none."""

    needs_images: ClassVar[bool] = False
    moves_parameters: ClassVar[bool] = False


GRADIENTS: dict[str, type[Gradient]] = {
    "first_order": FirstOrder,
    "second_order": SecondOrder,
    "single_level": SingleLevel,
    "none": NoGradient,
}
