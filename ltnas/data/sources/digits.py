"""Handwritten digits that scikit-learn carries (UCI, Alpaydin and Kaynak 1998)."""

from __future__ import annotations

import torch

from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources.resize import resize


def load_digits(size: int | None) -> Source:
    """1,797 grey images of 8 x 8 in ten classes; every fifth of a class is a test image."""
    from sklearn.datasets import load_digits as load

    pixels, labels = (torch.from_numpy(array) for array in load(return_X_y=True))
    grey = (pixels * (255 / 16)).round().byte().reshape(-1, 1, 8, 8)
    images = resize(grey.expand(-1, 3, -1, -1).contiguous(), size)
    test = every_fifth(labels)
    return Source(
        LabelledImages(images[~test], labels[~test]),
        LabelledImages(images[test], labels[test]),
        tuple(str(digit) for digit in range(10)),
    )


def every_fifth(labels: torch.Tensor) -> torch.Tensor:
    """A mask, bool [N], of the 2nd, 7th, 12th, ... image of each class.

    The second first: a class of two images has one on either side, a class of one trains.
    """
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        mask[(labels == label).nonzero().flatten()[1::5]] = True
    return mask
