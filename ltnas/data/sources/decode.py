"""Image files to pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import torch
from torch import Tensor

from ltnas.errors import UserError

Opener = Callable[[], IO[bytes] | str]


def decode(items: Sequence[tuple[str, Opener]], size: int | None) -> Tensor:
    """Pixels of encoded images, uint8 [N, 3, H, W].

    Args:
        items: a name for messages and something that PIL opens, for each image.
        size: the short side is scaled to it and the middle square kept; None: all images must
            have one size already.

    Raises:
        UserError: an image is broken, or sizes differ and `size` is None.
    """
    with ThreadPoolExecutor() as pool:  # PIL decodes without the interpreter's lock
        pixels = list(pool.map(lambda item: _decode_one(item[0], item[1], size), items))
    shapes = {image.shape for image in pixels}
    if len(shapes) > 1:
        sizes = ", ".join(sorted(f"{shape[2]}x{shape[1]}" for shape in shapes)[:3])
        raise UserError(f"images differ in size ({sizes}, ...): add data.image_size=32, or larger")
    return torch.stack(pixels)


def _decode_one(name: str, opener: Opener, size: int | None) -> Tensor:
    from PIL import Image, UnidentifiedImageError
    from torchvision.transforms.functional import center_crop, pil_to_tensor
    from torchvision.transforms.functional import resize as resize_side

    try:
        with Image.open(opener()) as file:
            if file.mode.startswith(("I", "F")):  # PIL would cut off all above 255
                raise ValueError(f"its mode {file.mode} has more than 8 bits a channel")
            image = file.convert("RGB")
    except (
        *(OSError, UnidentifiedImageError, SyntaxError, ValueError),
        Image.DecompressionBombError,
    ) as error:
        raise UserError(
            f"image {name} cannot be read ({error}): replace it or take it away"
        ) from error
    if size is not None and image.size != (size, size):
        image = center_crop(resize_side(image, size), size)
    pixels: Tensor = pil_to_tensor(image)
    return pixels
