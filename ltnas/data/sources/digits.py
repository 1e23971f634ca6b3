"""Handwritten digits included in scikit-learn (UCI, Alpaydin and Kaynak 1998)."""

from __future__ import annotations

import torch

from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources.resize import resize


def load_digits(size: int | None) -> Source:
    """Load 1,797 grey images of 8 x 8 pixels in ten classes; a fifth of them are test images.

    Args:
        size: side in pixels that images are scaled to; None keeps 8.
    """
    from sklearn.datasets import load_digits as load

    pixels, labels = (torch.from_numpy(array) for array in load(return_X_y=True))
    grey = (pixels * (255 / 16)).round().byte().reshape(-1, 1, 8, 8)  # values are 0 to 16
    images = resize(grey.expand(-1, 3, -1, -1).contiguous(), size)
    test = every_fifth(labels)
    return Source(
        LabelledImages(images[~test], labels[~test]),
        LabelledImages(images[test], labels[test]),
        tuple(str(digit) for digit in range(10)),
    )


def every_fifth(labels: torch.Tensor) -> torch.Tensor:
    """Return a mask of the 2nd, 7th, 12th, ... image of each class, bool [N].

    It starts with the second image, so that a class of two images has one training and one test
    image, and a class of one image has a training image.
    """
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        mask[(labels == label).nonzero().flatten()[1::5]] = True
    return mask
