"""Axes of models: classifier, branches, network."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require, require_choice


@dataclass
class Classifier:
    """Features to logits."""


@dataclass
class LinearClassifier(Classifier):
    """A linear layer."""


@dataclass
class CosineClassifier(Classifier):
    """Cosines of features and learned vectors (Cao et al. 2019)."""

    scale: float = 30.0
    """What cosines are multiplied by: a softmax of cosines alone is never sure."""

    def __post_init__(self) -> None:
        require(self.scale > 0, f"classifier.scale={self.scale} must be above 0")


@dataclass
class SimplexClassifier(CosineClassifier):
    """Cosines of features and fixed vectors, all equally far apart (ETF, Yang et al. 2022)."""


@dataclass
class Branches:
    """How many branches a model ends in, each with a stream of its own."""


@dataclass
class OneBranch(Branches):
    """A plain network."""


MIXINGS = (
    *("parabolic", "linear", "cosine", "cosine_symmetric"),
    *("fixed", "increasing", "beta", "stage"),
)
"""Ways in which the share of the conventional branch moves over the epochs."""


@dataclass
class TwoBranches(Branches):
    """A conventional and a re-balancing branch (BBN, Zhou et al. 2020)."""

    depth: int = 1
    """1: the last cell and the classifier are there twice; 0: the classifier alone."""
    mixing: str = "parabolic"
    """How the share of the conventional branch moves; 1 - p^2 in the paper."""

    def __post_init__(self) -> None:
        require(self.depth in (0, 1), f"branches.depth={self.depth} must be 0 or 1")
        require_choice("branches.mixing", self.mixing, MIXINGS)


@dataclass
class NetworkChoice:
    """What is trained."""


@dataclass
class SearchedNetwork(NetworkChoice):
    """That of `genotype`, with `channels`, `cells`, `stem`, `drop_path` and `auxiliary`."""


@dataclass
class ResNet32(NetworkChoice):
    """The residual network that the field trains on small images (He et al. 2016, section 4.2)."""

    depth: int = 32
    """Layers with weights: 20, 32, 44, ..."""
    width: int = 16
    """Channels of the first stage; 64 in some papers, with sixteen times the parameters."""

    def __post_init__(self) -> None:
        require(
            self.depth >= 8 and self.depth % 6 == 2,
            f"network.depth={self.depth} must be 6 n + 2: 8, 14, 20, 32, 44, 56, ...",
        )
        require(self.width >= 1, f"network.width={self.width} must be 1 or more")


@dataclass
class ResNet20(ResNet32):
    """The smaller one."""

    depth: int = 20
