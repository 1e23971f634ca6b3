"""RandAugment (Cubuk et al. 2020) for batches, with separate operations for every image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torchvision.transforms.v2 import functional as F

Operation = Callable[[Tensor, float], Tensor]
"""Function of uint8 images [B, 3, H, W] and a signed strength in [-1, 1]."""


def _shift(images: Tensor, x: float, y: float) -> Tensor:
    """Translate images by a number of pixels; new pixels are black."""
    moved: Tensor = F.affine(images, 0.0, [round(x), round(y)], scale=1.0, shear=[0.0, 0.0])
    return moved


def _shear(images: Tensor, x: float, y: float) -> Tensor:
    """Shear images about their top left corner; x and y are slopes, new pixels are black."""
    degrees = [math.degrees(math.atan(value)) for value in (x, y)]
    sheared: Tensor = F.affine(images, 0.0, [0, 0], scale=1.0, shear=degrees, center=[0, 0])
    return sheared


OPERATIONS: dict[str, Operation] = {
    "identity": lambda images, strength: images,
    "shear_x": lambda images, strength: _shear(images, 0.3 * strength, 0.0),
    "shear_y": lambda images, strength: _shear(images, 0.0, 0.3 * strength),
    "shift_x": lambda images, strength: _shift(
        images, 150 / 331 * images.shape[-1] * strength, 0.0
    ),
    "shift_y": lambda images, strength: _shift(
        images, 0.0, 150 / 331 * images.shape[-2] * strength
    ),
    "rotate": lambda images, strength: F.rotate(images, 30.0 * strength),
    "brightness": lambda images, strength: F.adjust_brightness(images, 1 + 0.9 * strength),
    "saturation": lambda images, strength: F.adjust_saturation(images, 1 + 0.9 * strength),
    "contrast": lambda images, strength: F.adjust_contrast(images, 1 + 0.9 * strength),
    "sharpness": lambda images, strength: F.adjust_sharpness(images, 1 + 0.9 * strength),
    "posterise": lambda images, strength: F.posterize(images, 8 - round(4 * abs(strength))),
    "solarise": lambda images, strength: F.solarize(images, 255 * (1 - abs(strength))),
    "autocontrast": lambda images, strength: F.autocontrast(images),
    "equalise": lambda images, strength: F.equalize(images),
}
"""Operations with the ranges of torchvision's RandAugment."""


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
        for turn in range(self.count):
            chosen = (random[:, 2 * turn] * len(OPERATIONS)).long()
            negative = random[:, 2 * turn + 1] < 0.5
            images = images.clone()
            # torchvision draws one operation for a whole batch; here the images that share
            # operation and sign are augmented together.
            for number, operation in enumerate(OPERATIONS.values()):
                for sign in (-1, 1):
                    part = ((chosen == number) & (negative == (sign < 0))).nonzero()[:, 0]
                    if len(part):
                        images[part] = operation(images[part], sign * strength)
        return images
