"""View of images that are stored larger than the network sees them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ltnas.data.augment import Normalisation, cutout, resized_crop
from ltnas.data.policy import Policy


@dataclass(frozen=True)
class ResizedView:
    """Random resized crop, random flip, an optional policy and cutout (Szegedy et al. 2015).

    Args:
        normalisation: mean and standard deviation of each channel.
        side: side of the view, pixels.
        min_crop_area: smallest area of the crop, as a share of the stored image.
        flip: flip half of the images horizontally.
        cutout: side of the erased square in pixels; 0 for no cutout.
        policy: further augmentation of the cropped images; None for none.
    """

    normalisation: Normalisation
    side: int
    min_crop_area: float
    flip: bool
    cutout: int = 0
    policy: Policy | None = None

    @property
    def draws(self) -> int:
        """Number of random numbers per image."""
        return 7 if self.policy is None else 7 + self.policy.draws

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Return float views [B, 3, side, side] of uint8 images [B, 3, H, W].

        Args:
            images: uint8 [B, 3, H, W].
            random: uniform in [0, 1), [B, draws]: four numbers of the crop, flip, centre of the
                cutout (y, x), then the numbers of the policy.
        """
        mirror = random[:, 4] < 0.5 if self.flip else torch.zeros_like(random[:, 4]).bool()
        pixels = images.contiguous(memory_format=torch.channels_last).float()
        cropped = resized_crop(pixels, self.min_crop_area, random[:, :4], mirror, side=self.side)
        if self.policy is not None:
            cropped = self.policy(cropped.round_().byte(), random[:, 7:]).float()
        view = self.normalisation(cropped.div_(255))
        return cutout(view, self.cutout, random[:, 5], random[:, 6]) if self.cutout else view
