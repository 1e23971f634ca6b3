"""The augmentation axis: changes to training images besides crop, flip and cutout."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class Augmentation:
    """Base of the values on the augmentation axis."""


@dataclass
class PlainAugmentation(Augmentation):
    """No further changes."""


@dataclass
class RandAugment(Augmentation):
    """Operations drawn from a set of fourteen (Cubuk et al. 2020)."""

    # The defaults of torchvision, whose scale of strengths ends at 30.
    count: int = 2
    """Number of operations applied to each image."""
    magnitude: int = 9
    """Strength of each operation, in [0, 30]."""

    def __post_init__(self) -> None:
        require(self.count >= 1, f"augmentation.count={self.count} must be 1 or more")
        require(
            0 <= self.magnitude <= 30,
            f"augmentation.magnitude={self.magnitude} must lie in [0, 30]",
        )


@dataclass
class AutoAugment(Augmentation):
    """The 25 pairs of operations that were found on CIFAR-10 (Cubuk et al. 2019)."""

    # The grey of the port for PyTorch that code for long tails uses.
    fill: int = 128
    """Grey value of pixels that are moved in from outside of an image, in [0, 255]."""

    def __post_init__(self) -> None:
        require(0 <= self.fill <= 255, f"augmentation.fill={self.fill} must lie in [0, 255]")


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "plain": PlainAugmentation,
    "rand_augment": RandAugment,
    "auto_augment": AutoAugment,
}
