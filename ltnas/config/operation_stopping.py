"""The operation stopping axis: candidate operations whose weights stop learning (OLES)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ltnas.config.requirements import require, require_choice


@dataclass
class OperationStopping:
    """Base of the values on the operation stopping axis."""

    needs_images: ClassVar[bool] = False
    """True if gradients on images of the architecture step are compared."""


@dataclass
class NoOperationStopping(OperationStopping):
    """The weights of all candidate operations learn until the search ends."""


@dataclass
class Oles(OperationStopping):
    """Operation-level early stopping (OLES, Jiang et al. 2023).

    The weights of a convolution are frozen if their gradients on the training batch and on the
    architecture's batch point in different directions: it has begun to fit the training images.
    """

    needs_images: ClassVar[bool] = True
    # These two are of the authors' code.
    steps: int = 20
    """Number of steps over which the similarity of an operation is averaged."""
    threshold: float = 0.4
    """Smallest mean similarity of an operation that goes on learning."""
    # Our reading of the code, in which nothing resets the training gradient before the
    # architecture's is added to it. The cosines of the paper's formula are below 0.4 from the first
    # steps on, so that everything would be frozen at once (docs/decisions.md).
    comparison: str = "sum"
    """What the training gradient is compared with by its cosine: `sum`, its sum with that of the
    architecture's batch (the authors' code), or `gradient`, the latter alone (the paper)."""

    def __post_init__(self) -> None:
        require(self.steps >= 1, f"operation_stopping.steps={self.steps} must be 1 or more")
        require(
            -1 <= self.threshold <= 1,
            f"operation_stopping.threshold={self.threshold} must lie in [-1, 1]: it is a cosine",
        )
        require_choice("operation_stopping.comparison", self.comparison, ("sum", "gradient"))


OPERATION_STOPPINGS: dict[str, type[OperationStopping]] = {
    "none": NoOperationStopping,
    "oles": Oles,
}
