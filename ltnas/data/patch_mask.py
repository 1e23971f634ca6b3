"""Random masks of patches, for objectives that reconstruct what a model does not see."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ltnas.config import MaskedReconstruction, Objective, require


@dataclass(frozen=True)
class PatchMask:
    """Mask of as many patches of every image as the ratio says, drawn uniformly for each image.

    Args:
        height: height of the images, pixels.
        width: width of the images, pixels.
        patch: side of a patch, pixels; it divides height and width.
        ratio: share of the patches that are masked, rounded to whole patches.
    """

    height: int
    width: int
    patch: int
    ratio: float

    @property
    def draws(self) -> int:
        """Number of random numbers per image, one for each patch."""
        return (self.height // self.patch) * (self.width // self.patch)

    @property
    def masked(self) -> int:
        """Number of masked patches of each image."""
        return round(self.ratio * self.draws)

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Return 1 for masked pixels and 0 for visible ones, float [B, 1, H, W].

        Args:
            images: images [B, 3, H, W], which the mask does not depend on.
            random: uniform in [0, 1), [B, draws]; the patches with the smallest are masked.
        """
        # Stable, so that equal numbers are ordered alike on all devices.
        chosen = random.argsort(dim=1, stable=True)[:, : self.masked]
        masked = torch.zeros_like(random).scatter_(1, chosen, 1.0)
        patches = masked.view(-1, 1, self.height // self.patch, self.width // self.patch)
        return patches.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)


def check_patches(objective: Objective, height: int, width: int) -> None:
    """Raise a `UserError` for masks that do not fit the images; nothing for other objectives.

    Args:
        objective: value on the objective axis.
        height: height of the images, pixels.
        width: width of the images, pixels.
    """
    if not isinstance(objective, MaskedReconstruction):
        return
    mask = PatchMask(height, width, objective.patch, objective.mask_ratio)
    most = min(mask.patch, min(height, width) // 2)
    fitting = max(side for side in range(1, most + 1) if not (height % side or width % side))
    size = f"images of {width}x{height} pixels"
    require(
        height % mask.patch == 0 and width % mask.patch == 0,
        f"objective.patch={mask.patch} does not divide {size}: take objective.patch={fitting}, or "
        "another data.image_size",
    )
    require(
        0 < mask.masked < mask.draws,
        f"objective.mask_ratio={mask.ratio} masks {mask.masked} of the {mask.draws} patches of "
        f"{size}, and there must be masked and visible ones: take objective.mask_ratio=0.5, or a "
        "smaller objective.patch",
    )
