"""Images made of two: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ltnas import config as c


class MixDraws(NamedTuple):
    """What is random about a batch's mixing: numbers in [0, 1), each [B]."""

    share: Tensor
    """Of an image itself, from Beta(alpha, alpha)."""
    centre_y: Tensor
    centre_x: Tensor
    choice: Tensor

    def rows(self, rows: slice, device: torch.device) -> MixDraws:
        """Those of some images, on a device."""
        return MixDraws(*(value[rows].to(device, non_blocking=True) for value in self))


def draw(alpha: float, images: int, seed: int) -> MixDraws:
    """The draws of a batch, a function of the seed alone."""
    random = np.random.default_rng(seed)
    share = random.beta(alpha, alpha, images)
    return MixDraws(*(torch.from_numpy(x).float() for x in (share, *random.random((3, images)))))


def mixup(images: Tensor, partners: Tensor, share: Tensor) -> Tensor:
    """Blends, share x + (1 - share) x', of float images [B, 3, H, W] and shares [B]."""
    return torch.lerp(partners, images, share.view(-1, 1, 1, 1))


def cutmix(
    images: Tensor, partners: Tensor, share: Tensor, centre_y: Tensor, centre_x: Tensor
) -> tuple[Tensor, Tensor]:
    """A box of the partner's pixels, of area 1 - share, about a point drawn uniformly.

    What sticks out of the image is lost, and the shares that are returned are those of the pixels.

    Args:
        images: float [B, 3, H, W].
        partners: of the same shape.
        share: asked for, [B].
        centre_y: uniform in [0, 1), [B]; so is `centre_x`.
        centre_x: see `centre_y`.

    Returns:
        Images [B, 3, H, W] and shares [B].
    """
    side, inside = (1 - share).sqrt(), []
    for size, centre in ((images.shape[2], centre_y), (images.shape[3], centre_x)):
        length = (side * size).round().long()
        first = ((centre * size).long() - length // 2)[:, None]
        place = torch.arange(size, device=images.device)
        inside.append((place >= first) & (place < first + length[:, None]))
    box = inside[0][:, :, None] & inside[1][:, None, :]
    mixed = torch.where(box[:, None], partners, images)
    return mixed, 1 - box.float().mean((1, 2))


def mix_views(
    mix: c.Mix, views: tuple[Tensor, ...], partners: tuple[Tensor, ...], draws: MixDraws
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Mixed views, each [B, 3, H, W], and in each the shares of the images themselves, [B]."""
    mixed, shares = [], []
    for number, (view, partner) in enumerate(zip(views, partners, strict=True)):
        blended = mixup(view, partner, draws.share)
        pasted, kept = cutmix(view, partner, draws.share, draws.centre_y, draws.centre_x)
        blends = _blends(mix, number, draws.choice)
        mixed.append(torch.where(blends.view(-1, 1, 1, 1), blended, pasted))
        shares.append(torch.where(blends, draws.share, kept))
    return tuple(mixed), tuple(shares)


def _blends(mix: c.Mix, view: int, choice: Tensor) -> Tensor:
    """Which images are blended, bool [B]; into the others a box is pasted."""
    match mix:
        case c.Mixup():
            return torch.ones_like(choice).bool()
        case c.CutMix():
            return torch.zeros_like(choice).bool()
        case c.MixupOrCutMix():
            return choice < 0.5
        case c.MixupAndCutMix():
            return torch.full_like(choice, math.fmod(view, 2)) == 0
        case _:
            raise TypeError(f"{mix} is not a value on the mix axis")
