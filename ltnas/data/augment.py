"""Augmentation of whole batches on their device, with separate parameters for every image.

Every function takes its random numbers as an argument, uniform in [0, 1) and one row per image,
and uses no other source of randomness: a batch is a function of its pixels and its draws.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import center_crop

from ltnas.data.policy import Policy

LUMA_WEIGHTS = (0.2989, 0.5870, 0.1140)
"""Weights of red, green and blue in the luma of ITU-R BT.601."""


def constant(values: tuple[float, ...], like: Tensor) -> Tensor:
    """Return constants as a vector of the type and on the device of a tensor."""
    return _constant(values, like.dtype, like.device)


@functools.lru_cache
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    # Copied once: each copy from the host's memory would wait for all work of a GPU.
    return torch.tensor(values, dtype=dtype, device=device)


def by_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
    """Return constants of each channel, [1, C, 1, 1]."""
    return constant(values, like).view(1, -1, 1, 1)


@dataclass(frozen=True)
class Normalisation:
    """Preparation of images for a network.

    Args:
        mean: mean of each channel, for pixels in [0, 1].
        std: standard deviation of each channel.
        side: side in pixels of the central square that a network sees of images that are stored
            larger; None if it sees the whole images.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    side: int | None = None

    def __call__(self, pixels: Tensor) -> Tensor:
        """Standardise float pixels in [0, 1], [B, 3, H, W]."""
        mean, std = (by_channel(values, pixels) for values in (self.mean, self.std))
        return (pixels - mean).div_(std)

    def standardise_bytes(self, images: Tensor) -> Tensor:
        """Standardise uint8 images [B, 3, H, W] and return floats in channels-last memory.

        Of images that are stored larger, the result has the central square alone.
        """
        if self.side is not None:
            images = center_crop(images, [self.side, self.side])
        return self(images.contiguous(memory_format=torch.channels_last).float().div_(255))


@dataclass(frozen=True)
class PlainView:
    """Padded random crop, random flip, an optional policy and cutout, as for DARTS.

    Args:
        normalisation: mean and standard deviation of each channel.
        padding: number of black pixels added on each side before the crop.
        flip: flip half of the images horizontally.
        cutout: side of the erased square in pixels; 0 for no cutout.
        policy: further augmentation of the cropped images; None for none.
    """

    normalisation: Normalisation
    padding: int
    flip: bool
    cutout: int = 0
    policy: Policy | None = None

    @property
    def draws(self) -> int:
        """Number of random numbers per image."""
        return 5 if self.policy is None else 5 + self.policy.draws

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Return float views [B, 3, H, W] of uint8 images [B, 3, H, W].

        Args:
            images: uint8 [B, 3, H, W].
            random: uniform in [0, 1), [B, draws]: top, left, flip, centre of the cutout (y, x),
                then the numbers of the policy.
        """
        mirror = random[:, 2] < 0.5 if self.flip else None
        cropped = crop_and_mirror(
            images, self.padding, top=random[:, 0], left=random[:, 1], mirror=mirror
        )
        cropped = cropped if self.policy is None else self.policy(cropped, random[:, 5:])
        view = self.normalisation(cropped.float().div_(255))
        return cutout(view, self.cutout, random[:, 3], random[:, 4]) if self.cutout else view


@dataclass(frozen=True)
class TwinView:
    """One view of a Barlow Twins pair: resized crop, flip, colour jitter and conversion to grey.

    Args:
        normalisation: mean and standard deviation of each channel.
        min_crop_area: smallest area of the crop, as a share of the image.
        flip: flip half of the images horizontally.
        jitter: strength of the colour jitter, see `jitter`.
        jitter_probability: probability of the colour jitter.
        grey_probability: probability of the conversion to grey.
        draws: number of random numbers per image.
    """

    normalisation: Normalisation
    min_crop_area: float
    flip: bool
    jitter: float
    jitter_probability: float
    grey_probability: float
    draws: int = 11

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Return float views [B, 3, H, W] of uint8 images [B, 3, H, W].

        Args:
            images: uint8 [B, 3, H, W].
            random: uniform in [0, 1), [B, 11]: four numbers of the crop, flip, four numbers of the
                jitter, choice of jitter, choice of grey.
        """
        mirror = random[:, 4] < 0.5 if self.flip else torch.zeros_like(random[:, 4]).bool()
        pixels = images.contiguous(memory_format=torch.channels_last).float().div_(255)
        side = self.normalisation.side
        view = resized_crop(pixels, self.min_crop_area, random[:, :4], mirror, side=side)
        jittered = jitter(view, self.jitter, random[:, 5:9])
        view = torch.where(_per_image(random[:, 9] < self.jitter_probability), jittered, view)
        view = torch.where(_per_image(random[:, 10] < self.grey_probability), grey(view), view)
        return self.normalisation(view)


def _per_image(values: Tensor) -> Tensor:
    """Reshape [B] to [B, 1, 1, 1], for broadcasting over images."""
    return values.view(-1, 1, 1, 1)


def crop_and_mirror(
    images: Tensor, padding: int, top: Tensor, left: Tensor, mirror: Tensor | None
) -> Tensor:
    """Pad images with black, crop them to their original size and flip some horizontally.

    Args:
        images: [B, 3, H, W], any type.
        padding: number of pixels added on each side.
        top: vertical position of the crop, uniform in [0, 1), [B].
        left: horizontal position of the crop, uniform in [0, 1), [B].
        mirror: images to flip, bool [B]; None for none.

    Returns:
        [B, 3, H, W] in channels-last memory.
    """
    batch, _, height, width = images.shape
    padded = F.pad(images, (padding,) * 4) if padding else images
    places = 2 * padding + 1
    device = images.device
    # Rows and columns of each image's crop in the padded image, [B, H] and [B, W].
    rows = (top * places).long()[:, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(batch, width)
    if mirror is not None:
        columns = torch.where(mirror[:, None], width - 1 - columns, columns)
    columns = (left * places).long()[:, None] + columns
    image = torch.arange(batch, device=device)[:, None, None]
    gathered = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return gathered.permute(0, 3, 1, 2)  # [B, H, W, 3] to [B, 3, H, W]


def cutout(images: Tensor, side: int, centre_y: Tensor, centre_x: Tensor) -> Tensor:
    """Set a square to zero, clipped at the border of the image (DeVries and Taylor 2017).

    Args:
        images: float [B, 3, H, W].
        side: side of the square in pixels.
        centre_y: vertical position of the centre, uniform in [0, 1), [B].
        centre_x: horizontal position of the centre, uniform in [0, 1), [B].
    """
    # Rows [B, H] and columns [B, W] of the square.
    inside = []
    for size, centre in ((images.shape[2], centre_y), (images.shape[3], centre_x)):
        offset = torch.arange(size, device=images.device) - (centre * size).long()[:, None]
        inside.append((offset >= -(side // 2)) & (offset < side - side // 2))
    hole = inside[0][:, :, None] & inside[1][:, None, :]  # [B, H, W]
    return images.masked_fill(hole[:, None], 0.0)


def resized_crop(
    images: Tensor, min_area: float, random: Tensor, mirror: Tensor, side: int | None = None
) -> Tensor:
    """Crop a random window and scale it to a given size by bilinear interpolation.

    The area is uniform in [min_area, 1]; the logarithm of the aspect ratio (width over height) is
    uniform in [log 3/4, log 4/3].

    Args:
        images: float [B, 3, H, W].
        min_area: smallest area of the window, as a share of the image.
        random: uniform in [0, 1), [B, 4]: area, aspect ratio, horizontal and vertical position.
        mirror: images to flip horizontally, bool [B].
        side: side of the result, pixels; None for the size of the images.
    """
    # Width and height of the window as shares of the image's, [B].
    area = min_area + (1 - min_area) * random[:, 0]
    ratio = torch.exp((2 * random[:, 1] - 1) * math.log(4 / 3))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    # Affine map from the output to the input, both in [-1, 1]; a negative width flips the image.
    theta = images.new_zeros(len(images), 2, 3)
    theta[:, 0, 0] = torch.where(mirror, -width, width)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (2 * random[:, 2] - 1) * (1 - width)
    theta[:, 1, 2] = (2 * random[:, 3] - 1) * (1 - height)
    shape = images.shape if side is None else (*images.shape[:2], side, side)
    grid = F.affine_grid(theta, list(shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def jitter(images: Tensor, strength: float, random: Tensor) -> Tensor:
    """Change brightness, contrast, saturation and hue, in this order.

    With strength s, the factors of brightness and contrast lie in [1 - s, 1 + s], that of
    saturation in [1 - s / 2, 1 + s / 2], and the hue turns by up to s / 4 of the colour circle.
    Zbontar et al. (2021) use (0.4, 0.4, 0.2, 0.1), which is s = 0.4.

    Args:
        images: float [B, 3, H, W] in [0, 1].
        strength: s, in [0, 1).
        random: uniform in [0, 1), [B, 4]: one number for each of the four changes.
    """
    spread = constant((strength, strength, strength / 2, strength / 4), images)
    change = (2 * random.to(images.dtype) - 1) * spread  # [B, 4]
    brightness, contrast, saturation = (_per_image(1 + change[:, i]) for i in range(3))
    images = (images * brightness).clamp(0, 1)
    mean_luma = grey(images)[:, :1].mean((2, 3), keepdim=True)  # [B, 1, 1, 1]
    images = torch.lerp(mean_luma.expand_as(images), images, contrast).clamp(0, 1)
    images = torch.lerp(grey(images), images, saturation).clamp(0, 1)
    return turn_hue(images, change[:, 3])


def grey(images: Tensor) -> Tensor:
    """Return the luma of float images [B, 3, H, W] in all three channels."""
    weights = by_channel(LUMA_WEIGHTS, images)
    return (images * weights).sum(1, keepdim=True).expand_as(images)


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue in HSV space; saturation and value stay.

    Args:
        images: float [B, 3, H, W] in [0, 1].
        turn: change of the hue as a share of the colour circle, in [-1/2, 1/2], [B].
    """
    red, green, blue = images.unbind(1)  # each [B, H, W]
    value, least = images.amax(1), images.amin(1)
    chroma = value - least
    safe = torch.where(chroma > 0, chroma, 1)  # grey pixels have no hue
    # The hue in sixths of the circle.
    sector = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    sector = sector + 6 * turn.view(-1, 1, 1)
    # Conversion from HSV (Smith 1978) without branches: each channel decreases with the distance
    # of the hue from its own colour.
    offset = by_channel((5.0, 3.0, 1.0), images)
    distance = (offset + sector[:, None]).remainder(6)
    return value[:, None] - chroma[:, None] * torch.minimum(distance, 4 - distance).clamp(0, 1)
