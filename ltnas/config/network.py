"""The network axis: which network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require

STEMS = ("auto", "cifar", "imagenet")
"""Names of first layers; see `ltnas.space.layout.chosen_stem` for `auto`."""


@dataclass
class NetworkChoice:
    """Base of the values on the network axis."""


@dataclass
class SearchedNetwork(NetworkChoice):
    """The network of `genotype`, with `channels`, `cells`, `stem`, `drop_path` and `auxiliary`.

    That of a broad genotype has `enhancement_cells`, too.
    """


@dataclass
class ResNet32(NetworkChoice):
    """The usual residual network for small images (He et al. 2016, section 4.2)."""

    depth: int = 32
    """Number of layers with weights: 20, 32, 44, ..."""
    width: int = 16
    """Number of channels of the first stage; some papers take 64, for 16 times the parameters."""

    def __post_init__(self) -> None:
        require(
            # Two convolutions a block in three stages of n blocks, the first convolution and the
            # classifier.
            self.depth >= 8 and self.depth % 6 == 2,
            f"network.depth={self.depth} must be 6 n + 2: 8, 14, 20, 32, 44, 56, ...",
        )
        require(self.width >= 1, f"network.width={self.width} must be 1 or more")


@dataclass
class ResNet20(ResNet32):
    """`ResNet32` with 20 layers."""

    depth: int = 20


@dataclass
class ResNet18(NetworkChoice):
    """ResNet-18 (He et al. 2016, table 1) with a stem for small images: a 3x3 convolution."""


@dataclass
class SecondSupernet(NetworkChoice):
    """A supernet with the architecture of the first one and weights of its own."""


NETWORKS: dict[str, type[NetworkChoice]] = {
    "searched": SearchedNetwork,
    "resnet20": ResNet20,
    "resnet32": ResNet32,
}
SECOND_NETWORKS: dict[str, type[NetworkChoice]] = {
    "resnet18": ResNet18,
    "resnet20": ResNet20,
    "resnet32": ResNet32,
    "supernet": SecondSupernet,
}
"""Networks of the second learner of a search."""
