"""RandAugment (Cubuk et al. 2020) for batches, with separate operations for every image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ltnas.data.image_operations import image_operations
from ltnas.data.policy import apply_chosen

OPERATIONS = {name: made for name, made in image_operations().items() if name != "invert"}
"""Operations of torchvision's RandAugment."""


@dataclass(frozen=True)
class RandAugment:
    """Apply randomly drawn operations to each image, one after another.

    Args:
        count: number of operations per image.
        magnitude: strength of the operations, in [0, 30].
    """

    count: int
    magnitude: int

    @property
    def draws(self) -> int:
        """Number of random numbers per image."""
        return 2 * self.count

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Return augmented images, uint8 [B, 3, H, W].

        Args:
            images: uint8 [B, 3, H, W].
            random: uniform in [0, 1), [B, draws]; for each operation its number and its sign.
        """
        strength = self.magnitude / 30
        # Each operation with a negative and with a positive strength.
        signed = [
            partial(operation, strength=sign * strength)
            for operation in OPERATIONS.values()
            for sign in (-1, 1)
        ]
        for turn in range(self.count):
            number = (random[:, 2 * turn] * len(OPERATIONS)).long()
            positive = random[:, 2 * turn + 1] >= 0.5
            images = apply_chosen(images, 2 * number + positive, signed)
        return images
