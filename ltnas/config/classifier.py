"""The classifier axis: how features become logits."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class Classifier:
    """Base of the values on the classifier axis."""


@dataclass
class LinearClassifier(Classifier):
    """A linear layer."""


@dataclass
class CosineClassifier(Classifier):
    """Cosines between features and learned vectors (Cao et al. 2019)."""

    # The scale s of the LDAM code.
    scale: float = 30.0
    """Factor of the cosines; without one the softmax of cosines stays close to uniform."""

    def __post_init__(self) -> None:
        require(self.scale > 0, f"classifier.scale={self.scale} must be above 0")


@dataclass
class SimplexClassifier(CosineClassifier):
    """Cosines between features and the fixed vectors of a simplex (ETF, Yang et al. 2022)."""


CLASSIFIERS: dict[str, type[Classifier]] = {
    "linear": LinearClassifier,
    "cosine": CosineClassifier,
    "simplex": SimplexClassifier,
}
