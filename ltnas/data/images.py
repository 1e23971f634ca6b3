"""Labelled images and the data set that every source returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class LabelledImages:
    """Images, uint8 [N, 3, H, W], and their class numbers, int64 [N]."""

    images: Tensor
    labels: Tensor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        height, width = self.images.shape[2:]
        return height, width


@dataclass(frozen=True)
class Source:
    """Training and test images of one data set and the names of its classes."""

    train: LabelledImages
    test: LabelledImages
    classes: tuple[str, ...]
