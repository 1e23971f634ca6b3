"""Conversion of images of any mode, as Pillow opens them, to upright RGB images of 8 bits."""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from ltnas.errors import UserError

GreyRange = tuple[int, int]
"""Smallest and largest value of the training images that have more than 8 bits."""
BROKEN = (
    *(OSError, UnidentifiedImageError, SyntaxError, ValueError, EOFError, IndexError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""Errors that Pillow raises for files that are damaged, or no images."""
ORIENTATION = 0x0112
"""EXIF tag of the orientation."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Operation that sets an image upright by the value of its EXIF orientation."""


class DeepImage(UserError):
    """An image has more than 8 bits per channel, and the range of its data set is not known."""


def opened(image: Image.Image | IO[bytes] | str | Path) -> AbstractContextManager[Image.Image]:
    """Open an image at a path or in a file; an image stays open when the context ends.

    Python warnings of Pillow are silent from then on: large photographs, transparent palettes and
    damaged EXIF data are read as they should be, and what is not is an error.
    """
    # At the end of the list, so that filters of the user come first; a second call changes nothing.
    warnings.filterwarnings("ignore", module=r"PIL\.", append=True)
    return nullcontext(image) if isinstance(image, Image.Image) else Image.open(image)


def is_deep(image: Image.Image) -> bool:
    """Return True for grey images of 16 or 32 bits (I, I;16, I;16B and their variants)."""
    return image.mode.startswith("I")


def upright(image: Image.Image) -> Image.Image:
    """Return the image turned and mirrored as its EXIF orientation says.

    `ImageOps.exif_transpose` does the same, and fails where it cannot write the other EXIF data.
    """
    image.load()  # sets TIFF images upright
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data do not make a damaged image
        return image
    return image if turn is None else image.transpose(turn)


def as_rgb(name: str, image: Image.Image, grey_range: GreyRange | None) -> Image.Image:
    """Return an image of any mode as RGB.

    Transparent pixels are shown on white, as web pages show them. Their hidden colours, which a
    mere conversion brings out, are often random.

    Args:
        name: name for error messages.
        image: image of any mode.
        grey_range: range of grey values of 16 or 32 bits, which becomes 0 to 255.

    Raises:
        DeepImage: the image has more than 8 bits, and no range is given.
        ValueError: the mode of the image cannot be converted.
    """
    if is_deep(image):
        if grey_range is None:
            raise DeepImage(
                f"image {name} cannot be read (its mode {image.mode} has more than 8 bits per "
                "channel): convert it to 8 bits"
            )
        return Image.fromarray(_to_bytes(np.asarray(image), grey_range)).convert("RGB")
    if image.mode.startswith("F"):  # Pillow would cut values above 255 off
        raise ValueError(f"its mode {image.mode} has more than 8 bits per channel")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _to_bytes(values: np.ndarray, grey_range: GreyRange) -> np.ndarray:
    """Scale grey values so that a range becomes 0 to 255; values outside of it are cut off."""
    low, high = grey_range
    scaled = (values.astype(np.float64) - low) * (255 / max(1, high - low))
    return scaled.round().clip(0, 255).astype(np.uint8)
