"""Labelled images and the data set that every source returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

PART_BYTES = 64 * 2**20
"""Largest size in bytes of the parts in which images that may exceed the memory are read."""


class Pixels(Protocol):
    """Decoded images in memory, on a device or in a file, uint8 [N, 3, H, W]."""

    @property
    def shape(self) -> torch.Size:
        """Number of images, channels, height and width."""
        ...

    def __getitem__(self, rows: Any) -> Tensor:  # noqa: ANN401 - as of torch.Tensor
        """Return some images as a tensor; `rows` is a slice or an int64 tensor."""
        ...


@dataclass(frozen=True)
class LabelledImages:
    """Images and their class numbers; a subset refers to the images that it is a subset of.

    Args:
        stored: decoded images, uint8 [M, 3, H, W]; a tensor, or a file that may exceed the memory.
        labels: class number of each image, int64 [N].
        rows: position of each image in `stored`, int64 [N]; None if image i has position i.
    """

    stored: Pixels
    labels: Tensor
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        height, width = self.stored.shape[2:]
        return height, width

    @property
    def bytes(self) -> int:
        """Size of the pixels of all images in memory."""
        return len(self) * self.stored.shape[1:].numel()

    @property
    def images(self) -> Tensor:
        """Pixels of all images in memory, uint8 [N, 3, H, W]; not for sets that may be large."""
        return self.stored[:] if self.rows is None else self.stored[self.rows]

    def take(self, positions: Tensor) -> Tensor:
        """Return the pixels of the images at some positions, uint8 [B, 3, H, W]."""
        return self.stored[positions if self.rows is None else self.rows[positions]]

    def select(self, positions: Tensor) -> LabelledImages:
        """Return the subset of the images at some positions, without reading any pixels."""
        rows = positions if self.rows is None else self.rows[positions]
        return LabelledImages(self.stored, self.labels[positions], rows)

    def parts(self) -> Iterator[Tensor]:
        """Yield the pixels of all images in order, uint8 [B, 3, H, W] of at most `PART_BYTES`."""
        count = max(1, PART_BYTES // max(1, self.stored.shape[1:].numel()))
        for first in range(0, len(self), count):
            part = slice(first, first + count)
            yield self.stored[part if self.rows is None else self.rows[part]]


@dataclass(frozen=True)
class Source:
    """Images of one data set and the names of its classes.

    Args:
        train: training images.
        test: test images.
        classes: names of the classes, in the order of their numbers.
        validation: images of a validation split of the data set; None if it has none.
        notes: sentences for the user about how the data set was read.
        skipped: names of the images that could not be read and were left out.
        grey_range: values of images of more than 8 bits that became 0 and 255; None if there are
            no such images.
    """

    train: LabelledImages
    test: LabelledImages
    classes: tuple[str, ...]
    validation: LabelledImages | None = None
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    grey_range: tuple[int, int] | None = None

    @property
    def parts(self) -> dict[str, LabelledImages]:
        """Images of each split by its name, in the order `train`, `validation`, `test`."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in named.items() if part is not None}
