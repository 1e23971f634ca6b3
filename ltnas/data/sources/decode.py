"""Decoding of image files to pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

import torch
from torch import Tensor

from ltnas.errors import UserError

if TYPE_CHECKING:
    from PIL import Image

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
        pixels = list(pool.map(lambda item: decode_image(item[0], item[1](), size), items))
    shapes = {image.shape for image in pixels}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(f"{shape[2]}x{shape[1]}" for shape in shapes)[:3])
        raise UserError(
            f"images differ in size ({sizes}, ...): scale them to one size, for example with "
            "data.image_size=32"
        )
    return torch.stack(pixels)


def decode_image(
    name: str, image: Image.Image | IO[bytes] | str | Path, size: int | None
) -> Tensor:
    """Return the pixels of one image of any mode, uint8 [3, H, W].

    Args:
        name: name for error messages.
        image: image, open file or path.
        size: see `decode`.

    Raises:
        UserError: the image is broken, or has more than 8 bits per channel.
    """
    from PIL import Image, UnidentifiedImageError
    from torchvision.transforms.functional import center_crop, pil_to_tensor
    from torchvision.transforms.functional import resize as resize_side

    try:
        with nullcontext(image) if isinstance(image, Image.Image) else Image.open(image) as file:
            if file.mode.startswith(("I", "F")):  # PIL would clip values above 255
                raise ValueError(f"its mode {file.mode} has more than 8 bits per channel")
            rgb = file.convert("RGB")
    except (
        *(OSError, UnidentifiedImageError, SyntaxError, ValueError),
        Image.DecompressionBombError,
    ) as error:
        raise UserError(f"image {name} cannot be read ({error}): replace or remove it") from error
    if size is not None and rgb.size != (size, size):
        rgb = center_crop(resize_side(rgb, size), size)
    pixels: Tensor = pil_to_tensor(rgb)
    return pixels
