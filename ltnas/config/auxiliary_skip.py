"""The auxiliary skip axis: a skip connection beside the candidate operations (DARTS-)."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class AuxiliarySkip:
    """Base of the values on the auxiliary skip axis; p is the share of the epochs that is over.

    The skip connection is added to the mixed operation of every edge, and never selected. Where the
    stride is 2 it has weights of its own.
    """

    strength: float = 1.0
    """Weight of the skip connection in the first epoch."""

    def __post_init__(self) -> None:
        require(self.strength >= 0, f"auxiliary_skip.strength={self.strength} must be 0 or more")


@dataclass
class NoAuxiliarySkip(AuxiliarySkip):
    """No auxiliary skip connection (DARTS)."""


@dataclass
class LinearSkip(AuxiliarySkip):
    """Weight 1 - p (DARTS-)."""


@dataclass
class CosineSkip(AuxiliarySkip):
    """Weight (1 + cos(pi p)) / 2."""


@dataclass
class SlowCosineSkip(AuxiliarySkip):
    """Weight cos(pi p / 2)."""


@dataclass
class ConstantSkip(AuxiliarySkip):
    """The same weight in all epochs."""


AUXILIARY_SKIPS: dict[str, type[AuxiliarySkip]] = {
    "none": NoAuxiliarySkip,
    "linear": LinearSkip,
    "cosine": CosineSkip,
    "slow_cosine": SlowCosineSkip,
    "constant": ConstantSkip,
}
