"""Images mixed from two: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ltnas import config as c


class MixDraws(NamedTuple):
    """Random numbers in [0, 1) for mixing the images of a batch, each [B]."""

    share: Tensor
    """Share of each image in its mixture, from Beta(alpha, alpha)."""
    centre_y: Tensor
    """Vertical position of the centre of the CutMix box, as a share of the height."""
    centre_x: Tensor
    """Horizontal position of the centre of the CutMix box, as a share of the width."""
    choice: Tensor
    """Numbers below 1/2 choose mixup for an image, others CutMix (`MixupOrCutMix`)."""

    def rows(self, rows: slice, device: torch.device) -> MixDraws:
        """Return the numbers of some rows of the batch, on a device."""
        return MixDraws(*(value[rows].to(device, non_blocking=True) for value in self))


def draw(alpha: float, images: int, seed: int) -> MixDraws:
    """Draw the random numbers of a batch; they depend on the arguments only.

    Args:
        alpha: parameter of the distribution of shares, Beta(alpha, alpha).
        images: number of images B of the batch.
        seed: seed of the generator.
    """
    random = np.random.default_rng(seed)
    share = random.beta(alpha, alpha, images)
    return MixDraws(*(torch.from_numpy(x).float() for x in (share, *random.random((3, images)))))


def draw_for(mix: c.Mix, images: int, seed: int) -> MixDraws:
    """Draw the random numbers of a batch, for each image or one for all of them; see `draw`.

    Args:
        mix: value on the mix axis.
        images: number of images B of the batch.
        seed: seed of the generator.

    Raises:
        ValueError: the value of `drawn_for` is unknown.
    """
    match mix.drawn_for:
        case "images":
            return draw(mix.alpha, images, seed)
        case "batches":
            return MixDraws(*(value.expand(images) for value in draw(mix.alpha, 1, seed)))
        case name:
            raise ValueError(f"{name} is not a value of mix.drawn_for")


def mixup(images: Tensor, partners: Tensor, share: Tensor) -> Tensor:
    """Return the blended images share * x + (1 - share) * x', float [B, 3, H, W].

    Args:
        images: x, float [B, 3, H, W].
        partners: x', float [B, 3, H, W].
        share: share of each image, in [0, 1], [B].
    """
    return torch.lerp(partners, images, share.view(-1, 1, 1, 1))


def cutmix(
    images: Tensor, partners: Tensor, share: Tensor, centre_y: Tensor, centre_x: Tensor
) -> tuple[Tensor, Tensor]:
    """Paste a box of each partner into its image.

    The box has the area 1 - share and is clipped at the border of the image. The returned shares
    are measured after clipping.

    Args:
        images: float [B, 3, H, W].
        partners: images that the boxes are taken from, [B, 3, H, W].
        share: requested share of each image, in [0, 1], [B].
        centre_y: vertical position of the centre of the box, in [0, 1), [B].
        centre_x: horizontal position of the centre of the box, in [0, 1), [B].

    Returns:
        Mixed images [B, 3, H, W] and the share of pixels that each image keeps, [B].
    """
    # Rows [B, H] and columns [B, W] of the box, whose sides are sqrt(1 - share) of the image's.
    side, inside = (1 - share).sqrt(), []
    for size, centre in ((images.shape[2], centre_y), (images.shape[3], centre_x)):
        length = (side * size).round().long()
        first = ((centre * size).long() - length // 2)[:, None]
        place = torch.arange(size, device=images.device)
        inside.append((place >= first) & (place < first + length[:, None]))
    box = inside[0][:, :, None] & inside[1][:, None, :]  # [B, H, W]
    mixed = torch.where(box[:, None], partners, images)
    return mixed, 1 - box.float().mean((1, 2))


def mix_views(
    mix: c.Mix, views: tuple[Tensor, ...], partners: tuple[Tensor, ...], draws: MixDraws
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Mix every view of a batch with the same view of its partners.

    Args:
        mix: value on the mix axis.
        views: views of the images, each float [B, 3, H, W].
        partners: views of the partners, each float [B, 3, H, W].
        draws: random numbers of the batch, the same for all views.

    Returns:
        Mixed views, each [B, 3, H, W], and the share of each image in each of its views, each [B].

    Raises:
        TypeError: the value is not a way of mixing.
    """
    pairs = [
        _mix_view(mix, number, view, partner, draws)
        for number, (view, partner) in enumerate(zip(views, partners, strict=True))
    ]
    return tuple(mixed for mixed, _ in pairs), tuple(share for _, share in pairs)


def _mix_view(
    mix: c.Mix, number: int, view: Tensor, partner: Tensor, draws: MixDraws
) -> tuple[Tensor, Tensor]:
    """Return view `number` after mixing, [B, 3, H, W], and the share of each image in it, [B]."""

    def by_mixup() -> tuple[Tensor, Tensor]:
        return mixup(view, partner, draws.share), draws.share

    def by_cutmix() -> tuple[Tensor, Tensor]:
        return cutmix(view, partner, draws.share, centre_y=draws.centre_y, centre_x=draws.centre_x)

    match mix:
        case c.Mixup():
            return by_mixup()
        case c.CutMix():
            return by_cutmix()
        case c.MixupAndCutMix():
            return by_mixup() if number % 2 == 0 else by_cutmix()
        case c.MixupOrCutMix():
            # Images of a batch differ in their choice: both are computed and one is selected.
            (blended, share), (pasted, kept) = by_mixup(), by_cutmix()
            blends = draws.choice < 0.5  # [B]
            mixed = torch.where(blends.view(-1, 1, 1, 1), blended, pasted)
            return mixed, torch.where(blends, share, kept)
        case _:
            raise TypeError(f"{mix} is not a value on the mix axis")
