"""Images of a data set that are not decoded yet, as sources find them on a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

SPLITS = ("train", "validation", "test")
"""Names of the splits, in the order in which they are decoded and stored."""


class EncodedImage(NamedTuple):
    """An image that is not decoded yet.

    Args:
        name: name of the image for messages, for example its path.
        open: function that returns the image, an open file or a path, for `PIL.Image.open`.
    """

    name: str
    open: Callable[[], Image.Image | IO[bytes] | str]


@dataclass(frozen=True)
class EncodedImages:
    """Images of one split and their class numbers.

    Args:
        labels: class number of each image.
        read: function that yields the images in the order of `labels`. It may be called several
            times, and holds only few images in memory at a time.
    """

    labels: Sequence[int]
    read: Callable[[], Iterator[EncodedImage]]


@dataclass(frozen=True)
class Listing:
    """Images of a data set by split, and the names of its classes.

    Args:
        classes: names of the classes, in the order of their numbers.
        splits: images of each split by its name, one of `SPLITS`. Without `test`, some of the
            training images become test images, see `ltnas.data.splits`.
        files: files that the images and their labels come from.
        notes: sentences for the user about how the data set was read.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, EncodedImages]
    files: Sequence[Path]
    notes: tuple[str, ...] = ()


def of_files(files: Sequence[Path], labels: Sequence[int]) -> EncodedImages:
    """Return the images of some files.

    Args:
        files: paths of the files.
        labels: class number of each file.
    """
    return EncodedImages(labels, lambda: (EncodedImage(str(file), file.__str__) for file in files))
