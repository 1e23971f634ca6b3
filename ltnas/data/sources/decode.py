"""Decoding of image files to pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import torch
from torch import Tensor

from ltnas.errors import UserError

Opener = Callable[[], IO[bytes] | str]
"""Function that returns an open file or a path, for `PIL.Image.open`."""


def decode(items: Sequence[tuple[str, Opener]], size: int | None) -> Tensor:
    """Decode images to uint8 pixels, [N, 3, H, W].

    Args:
        items: name for error messages and opener of each image.
        size: side in pixels; the short side of every image is scaled to it and the central square
            is cut out. None keeps the images as they are, which must then be of equal size.

    Raises:
        UserError: an image is broken, or sizes differ and `size` is None.
    """
    with ThreadPoolExecutor() as pool:  # PIL releases the interpreter's lock while decoding
        pixels = list(pool.map(lambda item: _decode_one(item[0], item[1], size), items))
    shapes = {image.shape for image in pixels}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(f"{shape[2]}x{shape[1]}" for shape in shapes)[:3])
        raise UserError(
            f"images differ in size ({sizes}, ...): scale them to one size, for example with "
            "data.image_size=32"
        )
    return torch.stack(pixels)


def _decode_one(name: str, opener: Opener, size: int | None) -> Tensor:
    """Return the pixels of one image, uint8 [3, H, W]."""
    from PIL import Image, UnidentifiedImageError
    from torchvision.transforms.functional import center_crop, pil_to_tensor
    from torchvision.transforms.functional import resize as resize_side

    try:
        with Image.open(opener()) as file:
            if file.mode.startswith(("I", "F")):  # PIL would clip values above 255
                raise ValueError(f"its mode {file.mode} has more than 8 bits per channel")
            image = file.convert("RGB")
    except (
        *(OSError, UnidentifiedImageError, SyntaxError, ValueError),
        Image.DecompressionBombError,
    ) as error:
        raise UserError(f"image {name} cannot be read ({error}): replace or remove it") from error
    if size is not None and image.size != (size, size):
        image = center_crop(resize_side(image, size), size)
    pixels: Tensor = pil_to_tensor(image)
    return pixels
