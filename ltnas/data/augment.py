"""Augmentation of whole batches on their device, each image with its own parameters.

Every function takes the random numbers it uses, uniform in [0, 1), one row an image, and nothing
else that is random: a batch is a pure function of pixels and draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ltnas.data.rand_augment import RandAugment

GREY = (0.2989, 0.5870, 0.1140)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel, of pixels in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pixels: Tensor) -> Tensor:
        """Standardise float pixels in [0, 1], [B, 3, H, W]."""
        mean, std = (pixels.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (pixels - mean).div_(std)

    def of_bytes(self, images: Tensor) -> Tensor:
        """Standardise uint8 images, [B, 3, H, W], to float in channels-last memory."""
        return self(images.contiguous(memory_format=torch.channels_last).float().div_(255))


@dataclass(frozen=True)
class PlainView:
    """Padded crop, mirror, a policy, cutout: the view that supervised training sees (DARTS)."""

    normalisation: Normalisation
    padding: int
    flip: bool
    cutout: int = 0
    policy: RandAugment | None = None

    @property
    def draws(self) -> int:
        """Random numbers it needs for an image."""
        return 5 if self.policy is None else 5 + self.policy.draws

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Views of uint8 images [B, 3, H, W] from draws [B, draws]: float [B, 3, H, W]."""
        mirror = random[:, 2] < 0.5 if self.flip else None
        cropped = crop_and_mirror(images, self.padding, random[:, 0], random[:, 1], mirror)
        cropped = cropped if self.policy is None else self.policy(cropped, random[:, 5:])
        view = self.normalisation(cropped.float().div_(255))
        return cutout(view, self.cutout, random[:, 3], random[:, 4]) if self.cutout else view


@dataclass(frozen=True)
class TwinView:
    """Resized crop, mirror, colour jitter and grey: one view of a Barlow Twins pair."""

    normalisation: Normalisation
    min_crop_area: float
    flip: bool
    jitter: float
    jitter_probability: float
    grey_probability: float
    draws: int = 11

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Views of uint8 images [B, 3, H, W] from draws [B, 11]: float [B, 3, H, W]."""
        mirror = random[:, 4] < 0.5 if self.flip else torch.zeros_like(random[:, 4]).bool()
        pixels = images.contiguous(memory_format=torch.channels_last).float().div_(255)
        view = resized_crop(pixels, self.min_crop_area, random[:, :4], mirror)
        changed = jitter(view, self.jitter, random[:, 5:9])
        view = torch.where(_rows(random[:, 9] < self.jitter_probability), changed, view)
        view = torch.where(_rows(random[:, 10] < self.grey_probability), grey(view), view)
        return self.normalisation(view)


def _rows(per_image: Tensor) -> Tensor:
    """[B] as [B, 1, 1, 1]."""
    return per_image.view(-1, 1, 1, 1)


def crop_and_mirror(
    images: Tensor, padding: int, top: Tensor, left: Tensor, mirror: Tensor | None
) -> Tensor:
    """A window of the images' size out of the images padded with black, mirrored where told.

    Args:
        images: [B, 3, H, W], any type.
        padding: pixels on each side.
        top: uniform in [0, 1), [B]; so is `left`.
        left: see `top`.
        mirror: bool [B]; None mirrors nothing.

    Returns:
        [B, 3, H, W] in channels-last memory.
    """
    batch, _, height, width = images.shape
    padded = F.pad(images, (padding,) * 4) if padding else images
    places = 2 * padding + 1
    device = images.device
    rows = (top * places).long()[:, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(batch, width)
    if mirror is not None:
        columns = torch.where(mirror[:, None], width - 1 - columns, columns)
    columns = (left * places).long()[:, None] + columns
    image = torch.arange(batch, device=device)[:, None, None]
    gathered = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return gathered.permute(0, 3, 1, 2)


def cutout(images: Tensor, side: int, centre_y: Tensor, centre_x: Tensor) -> Tensor:
    """Zero a square about a pixel drawn uniformly; what sticks out is lost (DeVries 2017).

    Args:
        images: float [B, 3, H, W].
        side: of the square, in pixels.
        centre_y: uniform in [0, 1), [B]; so is `centre_x`.
        centre_x: see `centre_y`.
    """
    inside = []
    for size, centre in ((images.shape[2], centre_y), (images.shape[3], centre_x)):
        offset = torch.arange(size, device=images.device) - (centre * size).long()[:, None]
        inside.append((offset >= -(side // 2)) & (offset < side - side // 2))
    hole = inside[0][:, :, None] & inside[1][:, None, :]
    return images.masked_fill(hole[:, None], 0.0)


def resized_crop(images: Tensor, min_area: float, random: Tensor, mirror: Tensor) -> Tensor:
    """A window of random area, shape and place, scaled to the whole image, bilinear.

    Area is uniform in [min_area, 1], the logarithm of width over height in log [3/4, 4/3].

    Args:
        images: float [B, 3, H, W].
        min_area: smallest area, as a share of the image.
        random: draws for area, shape, x and y, [B, 4].
        mirror: bool [B].
    """
    area = min_area + (1 - min_area) * random[:, 0]
    ratio = torch.exp((2 * random[:, 1] - 1) * math.log(4 / 3))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    theta = images.new_zeros(len(images), 2, 3)
    theta[:, 0, 0] = torch.where(mirror, -width, width)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (2 * random[:, 2] - 1) * (1 - width)
    theta[:, 1, 2] = (2 * random[:, 3] - 1) * (1 - height)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def jitter(images: Tensor, strength: float, random: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue, in this order.

    With strength s the factors lie in 1 +- s, 1 +- s, 1 +- s / 2, and the hue turns by up to s / 4
    of a circle: (0.4, 0.4, 0.2, 0.1) at s = 0.4 (Zbontar et al. 2021).

    Args:
        images: float [B, 3, H, W] in [0, 1].
        strength: s above.
        random: draws, [B, 4].
    """
    spread = images.new_tensor((strength, strength, strength / 2, strength / 4))
    change = (2 * random.to(images.dtype) - 1) * spread
    brightness, contrast, saturation = (_rows(1 + change[:, i]) for i in range(3))
    images = (images * brightness).clamp(0, 1)
    middle = grey(images)[:, :1].mean((2, 3), keepdim=True)
    images = torch.lerp(middle.expand_as(images), images, contrast).clamp(0, 1)
    images = torch.lerp(grey(images), images, saturation).clamp(0, 1)
    return turn_hue(images, change[:, 3])


def grey(images: Tensor) -> Tensor:
    """Luma in all three channels; images float [B, 3, H, W]."""
    weights = images.new_tensor(GREY).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).expand_as(images)


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of HSV by a share of the circle, leaving saturation and value.

    Args:
        images: float [B, 3, H, W] in [0, 1].
        turn: in [-1/2, 1/2], [B].
    """
    red, green, blue = images.unbind(1)
    value, least = images.amax(1), images.amin(1)
    chroma = value - least
    safe = torch.where(chroma > 0, chroma, 1)
    sector = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    sector = sector + 6 * turn.view(-1, 1, 1)
    # Smith 1978 in the form without branches: each channel falls off with its distance from the hue
    offset = images.new_tensor((5.0, 3.0, 1.0)).view(1, 3, 1, 1)
    distance = (offset + sector[:, None]).remainder(6)
    return value[:, None] - chroma[:, None] * torch.minimum(distance, 4 - distance).clamp(0, 1)
