"""Division of a data set into training and test images where it has no test images of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ltnas.data.images import LabelledImages, Source

HELD_OUT = 5
"""About one of so many images of a class is a test image."""


def complete(
    parts: dict[str, LabelledImages], classes: tuple[str, ...], notes: tuple[str, ...], seed: int
) -> Source:
    """Return a data set with training and test images.

    Without test images, those of a validation split serve as test images. Without a validation
    split either, a part of each class is held out.

    Args:
        parts: images of the splits that the data set has, by `train`, `validation` and `test`.
        classes: names of the classes.
        notes: sentences for the user about how the data set was read.
        seed: seed of the images that are held out.
    """
    train, validation, test = (parts.get(name) for name in ("train", "validation", "test"))
    assert train is not None
    if validation is not None and not len(validation):
        validation, notes = None, (*notes, "its validation split has no image that can be read")
    if test is not None:
        if validation is not None:
            note = f"images of its validation split are not trained on: {len(validation):,}"
            notes = (*notes, note)
        return Source(train, test, classes, validation, notes)
    if validation is not None:
        note = "the data set has no test images: those of its validation split serve as such"
        return Source(train, validation, classes, None, (*notes, note))
    test_mask = held_out(train.labels, seed)
    kept, taken = (train.select(mask.nonzero().flatten()) for mask in (~test_mask, test_mask))
    return Source(kept, taken, classes, None, notes)


def held_out(labels: Tensor, seed: int) -> Tensor:
    """Return a mask of the images that become test images, about a fifth of each class, bool [N].

    A class of n images gives (n + 3) // 5 of them: of two images one, of a single image none.

    Args:
        labels: class numbers, int64 [N].
        seed: seed of the choice within each class.
    """
    generator = np.random.RandomState(seed)
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        positions = (labels == label).nonzero().flatten()
        count = (len(positions) + HELD_OUT - 2) // HELD_OUT
        mask[positions[torch.from_numpy(generator.permutation(len(positions))[:count])]] = True
    return mask
