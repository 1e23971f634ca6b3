"""Decoding of image files to pixels."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ltnas.data.listing import EncodedImage
from ltnas.data.rgb import BROKEN, DeepImage, GreyRange, as_rgb, opened, upright
from ltnas.errors import UserError

PART = 512
"""Number of images that are decoded at a time."""


class Decoded(NamedTuple):
    """Images that were decoded together.

    Args:
        images: pixels of the images that could be read, uint8 [N, 3, H, W].
        read: True for each image that could be read, bool [number of encoded images].
        skipped: names of the images that could not be read.
    """

    images: Tensor
    read: Tensor
    skipped: tuple[str, ...]


def decode(
    images: Iterable[EncodedImage],
    size: int | None,
    broken: str,
    grey_range: GreyRange | None = None,
) -> Iterator[Decoded]:
    """Decode images, a few hundred at a time.

    Args:
        images: images in the order in which they are returned.
        size: side in pixels; the short side of every image is scaled to it and the central square
            is cut out. None keeps the images as they are, which must then be of equal size.
        broken: `error` or `skip`, the treatment of images that cannot be read.
        grey_range: values that become 0 and 255 in images of 16 or 32 bits.

    Raises:
        UserError: an image cannot be read and `broken` is `error`, or sizes differ and `size` is
            None.
        DeepImage: an image has more than 8 bits per channel, and no range is given.
    """
    shapes: set[torch.Size] = set()
    remaining = iter(images)
    with ThreadPoolExecutor() as pool:  # PIL releases the interpreter's lock while decoding
        while part := list(itertools.islice(remaining, PART)):
            pixels = list(
                pool.map(lambda image: _decode_or_name(image, size, broken, grey_range), part)
            )
            tensors = [image for image in pixels if isinstance(image, Tensor)]
            shapes.update(image.shape for image in tensors)
            _check_shapes(shapes)
            yield Decoded(
                torch.stack(tensors) if tensors else torch.empty(0, dtype=torch.uint8),
                torch.tensor([isinstance(image, Tensor) for image in pixels]),
                tuple(name for name in pixels if isinstance(name, str)),
            )


def _decode_or_name(
    image: EncodedImage, size: int | None, broken: str, grey_range: GreyRange | None
) -> Tensor | str:
    """Return the pixels of an image, or its name if it cannot be read and may be skipped."""
    try:
        try:
            content = image.open()
        except BROKEN as error:
            raise unreadable(image.name, error) from error
        return decode_image(image.name, content, size, grey_range)
    except DeepImage:
        raise
    except UserError as error:
        if broken == "skip":
            return image.name
        raise UserError(f"{error}, or leave such images out with data.broken=skip") from error


def unreadable(name: str, error: Exception) -> UserError:
    """Return the error of an image that is damaged."""
    # Pillow names the content of a table by its address in memory.
    unknown = isinstance(error, UnidentifiedImageError)
    reason = "no image format is recognised" if unknown else error
    return UserError(f"image {name} cannot be read ({reason}): replace or remove it")


def _check_shapes(shapes: set[torch.Size]) -> None:
    """Raise `UserError` if there is more than one shape."""
    if len(shapes) > 1:
        sizes = ", ".join(sorted(f"{shape[2]}x{shape[1]}" for shape in shapes)[:3])
        raise UserError(
            f"images differ in size ({sizes}, ...): scale them to one size, for example with "
            "data.image_size=32"
        )


def decode_image(
    name: str,
    image: Image.Image | IO[bytes] | str | Path,
    size: int | None,
    grey_range: GreyRange | None = None,
) -> Tensor:
    """Return the pixels of one image of any mode, uint8 [3, H, W].

    The image is turned as its EXIF orientation says, and becomes RGB, see `as_rgb`.

    Args:
        name: name for error messages.
        image: image, open file or path.
        size: see `decode`.
        grey_range: see `decode`.

    Raises:
        UserError: the image is broken, or its mode cannot be converted.
        DeepImage: it has more than 8 bits per channel, and no range is given.
    """
    from torchvision.transforms.functional import center_crop, pil_to_tensor
    from torchvision.transforms.functional import resize as resize_side

    try:
        with opened(image) as file:
            if size is not None and file.mode in ("RGB", "L"):
                # JPEG files are decoded at 1/2, 1/4 or 1/8 of their size, which is much quicker,
                # where that leaves twice the wanted size.
                file.draft(file.mode, (2 * size, 2 * size))
            rgb = as_rgb(name, upright(file), grey_range)
    except BROKEN as error:
        raise unreadable(name, error) from error
    if size is not None and rgb.size != (size, size):
        rgb = center_crop(resize_side(rgb, size), size)
    pixels: Tensor = pil_to_tensor(rgb)
    return pixels
