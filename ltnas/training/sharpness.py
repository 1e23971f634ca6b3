"""Radius of sharpness-aware steps, which may change once during a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sharpness:
    """Radius of sharpness-aware minimisation (Foret et al. 2021) as a function of the progress.

    Args:
        first: radius before `step`; 0: plain steps throughout.
        factor: factor of the radius from `step` on.
        step: share of the epochs, in [0, 1].
    """

    first: float = 0.0
    factor: float = 1.0
    step: float = 1.0

    @property
    def is_on(self) -> bool:
        """True if steps are sharpness-aware."""
        return self.first > 0

    def radius(self, progress: float) -> float:
        """Return the radius when this share of the epochs, in [0, 1), is over."""
        return self.first if progress < self.step else self.first * self.factor
