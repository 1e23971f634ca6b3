"""Range of the grey values of a data set whose images have more than 8 bits."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ltnas.data.listing import EncodedImage, Listing
from ltnas.data.rgb import BROKEN, GreyRange, is_deep, opened
from ltnas.errors import UserError

PART = 512
"""Number of images that are read at a time."""


def measured_range(listing: Listing) -> GreyRange:
    """Return the smallest and the largest value of the training images of 16 or 32 bits.

    A range for each image of its own would make a dark image as bright as all others. Other splits
    are scaled by the same range and must not influence it; it is taken from them only if no
    training image has more than 8 bits. Images of 8 bits are opened and not decoded; images that
    cannot be read are left to the decoding.

    Args:
        listing: images of the data set, of which at least one has more than 8 bits.
    """
    others = [part for split, part in listing.splits.items() if split != "train"]
    ranges = list(_ranges(listing.splits["train"].read()))
    ranges = ranges or [values for part in others for values in _ranges(part.read())]
    lows, highs = zip(*ranges, strict=True)
    return min(lows), max(highs)


def _ranges(images: Iterable[EncodedImage]) -> Iterator[GreyRange]:
    remaining = iter(images)
    with ThreadPoolExecutor() as pool:
        while part := list(itertools.islice(remaining, PART)):
            yield from (values for values in pool.map(_range, part) if values is not None)


def _range(encoded: EncodedImage) -> GreyRange | None:
    """Return the range of one image; None if it has 8 bits or cannot be read."""
    try:
        with opened(encoded.open()) as image:
            if not is_deep(image):
                return None
            values = np.asarray(image)
    except (UserError, *BROKEN):
        return None
    return int(values.min()), int(values.max())
