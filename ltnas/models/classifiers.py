"""Classifiers, which map features [B, D] to logits [B, C]."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ltnas import config as c

MakeClassifier = Callable[[int, int], nn.Module]
"""Makes a classifier from the size of the features and the number of classes."""


class CosineClassifier(nn.Module):
    """Scaled cosine between features and a learned vector of each class (Cao et al. 2019).

    Args:
        features: size of the features.
        classes: number of classes.
        scale: factor of the cosines.
    """

    def __init__(self, features: int, classes: int, scale: float) -> None:
        super().__init__()
        self.scale: float = scale
        self.weight = nn.Parameter(torch.empty(classes, features))
        # As nn.Linear draws its weights; their length does not matter here.
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits in [-scale, scale], [B, C], of features [B, D]."""
        # [B, D] and [C, D], both of length 1 along D.
        cosines: Tensor = F.linear(F.normalize(features), F.normalize(self.weight))
        return self.scale * cosines


def simplex(features: int, classes: int, generator: torch.Generator) -> Tensor:
    """Return unit vectors [classes, features] with a cosine of -1 / (C - 1) between any two.

    They are the equiangular tight frame sqrt(C / (C - 1)) U (I - 1 1^T / C), where U is a random
    orthonormal [features, C] matrix (Yang et al. 2022, definition 1).

    Args:
        features: size of the features.
        classes: number of classes, C.
        generator: draws U.

    Raises:
        ValueError: there are fewer features than classes.
    """
    if features < classes:
        raise ValueError(f"a simplex of {classes} classes needs {classes} features, not {features}")
    # QR decomposition makes the columns of a random matrix orthonormal.
    random = torch.randn(features, classes, dtype=torch.float64, generator=generator)
    basis, _ = torch.linalg.qr(random)  # U, [features, C]
    centred = torch.eye(classes, dtype=torch.float64) - 1 / classes
    vectors: Tensor = math.sqrt(classes / (classes - 1)) * basis @ centred
    return vectors.T


class SimplexClassifier(nn.Module):
    """Scaled cosine between features and a fixed vector of each class (Yang et al. 2022).

    The vectors are equally far apart and are not trained, so frequent classes cannot displace the
    vectors of rare ones.

    Args:
        features: size of the features.
        classes: number of classes.
        scale: factor of the cosines.
    """

    weight: Tensor

    def __init__(self, features: int, classes: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        # The same vectors for every seed of a run.
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("weight", simplex(features, classes, generator).float())

    def forward(self, features: Tensor) -> Tensor:
        """Return logits in [-scale, scale], [B, C], of features [B, D]."""
        cosines: Tensor = F.linear(F.normalize(features), self.weight.to(features.dtype))
        return self.scale * cosines


def make_classifier(config: c.Classifier) -> MakeClassifier:
    """Return the constructor of a value on the classifier axis."""
    match config:
        # Before CosineClassifier, from which its configuration is derived.
        case c.SimplexClassifier():
            return lambda features, classes: SimplexClassifier(features, classes, config.scale)
        case c.CosineClassifier():
            return lambda features, classes: CosineClassifier(features, classes, config.scale)
        case c.LinearClassifier():
            return nn.Linear
        case _:
            raise TypeError(f"{config} is not a value on the classifier axis")


def describe_classifier(config: c.Classifier) -> dict[str, str | float]:
    """Return a value on the classifier axis in plain types."""
    match config:
        # Before CosineClassifier, as above.
        case c.SimplexClassifier():
            return {"kind": "simplex", "scale": config.scale}
        case c.CosineClassifier():
            return {"kind": "cosine", "scale": config.scale}
        case c.LinearClassifier():
            return {"kind": "linear"}
        case _:
            raise TypeError(f"{config} is not a value on the classifier axis")


def described_classifier(description: dict[str, str | float]) -> c.Classifier:
    """Return the value on the classifier axis from its description by `describe_classifier`.

    Raises:
        KeyError, ValueError: the description is not valid.
    """
    match description["kind"]:
        case "simplex":
            return c.SimplexClassifier(float(description["scale"]))
        case "cosine":
            return c.CosineClassifier(float(description["scale"]))
        case "linear":
            return c.LinearClassifier()
        case other:
            raise ValueError(f"{other} is not a kind of classifier")
