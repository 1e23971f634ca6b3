"""Operations on images that policies draw from, with the ranges of torchvision's policies."""

from __future__ import annotations

import math
from typing import Protocol

from torch import Tensor
from torchvision.transforms.v2 import functional as F


class Operation(Protocol):
    """Function of uint8 images [B, 3, H, W] and a signed strength in [-1, 1]."""

    def __call__(self, images: Tensor, strength: float) -> Tensor:
        """Return changed images."""
        ...


def image_operations(fill: int | None = None) -> dict[str, Operation]:
    """Return the operations by their names.

    Args:
        fill: grey value in [0, 255] of new pixels, which are moved in from outside; None for black.
    """

    def shift(images: Tensor, x: float, y: float) -> Tensor:
        """Translate images by a number of pixels."""
        moved: Tensor = F.affine(
            images, 0.0, [round(x), round(y)], scale=1.0, shear=[0.0, 0.0], fill=fill
        )
        return moved

    def shear(images: Tensor, x: float, y: float) -> Tensor:
        """Shear images about their top left corner; x and y are slopes."""
        degrees = [math.degrees(math.atan(value)) for value in (x, y)]
        sheared: Tensor = F.affine(
            images, 0.0, [0, 0], scale=1.0, shear=degrees, center=[0, 0], fill=fill
        )
        return sheared

    return {
        "identity": lambda images, strength: images,
        "shear_x": lambda images, strength: shear(images, 0.3 * strength, 0.0),
        "shear_y": lambda images, strength: shear(images, 0.0, 0.3 * strength),
        "shift_x": lambda images, strength: shift(
            images, 150 / 331 * images.shape[-1] * strength, 0.0
        ),
        "shift_y": lambda images, strength: shift(
            images, 0.0, 150 / 331 * images.shape[-2] * strength
        ),
        "rotate": lambda images, strength: F.rotate(images, 30.0 * strength, fill=fill),
        "brightness": lambda images, strength: F.adjust_brightness(images, 1 + 0.9 * strength),
        "saturation": lambda images, strength: F.adjust_saturation(images, 1 + 0.9 * strength),
        "contrast": lambda images, strength: F.adjust_contrast(images, 1 + 0.9 * strength),
        "sharpness": lambda images, strength: F.adjust_sharpness(images, 1 + 0.9 * strength),
        "posterise": lambda images, strength: F.posterize(images, 8 - round(4 * abs(strength))),
        "solarise": lambda images, strength: F.solarize(images, 255 - 255 * abs(strength)),
        "autocontrast": lambda images, strength: F.autocontrast(images),
        "equalise": lambda images, strength: F.equalize(images),
        "invert": lambda images, strength: F.invert(images),
    }
