"""The weight norm axis: what the convolutions of candidate operations are divided by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class WeightNorm:
    """Base of the values on the weight norm axis."""


@dataclass
class NoWeightNorm(WeightNorm):
    """Convolutions compute with their weights (DARTS)."""


@dataclass
class SpectralNorm(WeightNorm):
    """Each convolution is divided by its largest singular value as a linear map (MSR-DARTS)."""


WEIGHT_NORMS: dict[str, type[WeightNorm]] = {"none": NoWeightNorm, "spectral": SpectralNorm}
