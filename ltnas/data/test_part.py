"""Part of the test images for a quick test, with about as many images of each class."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BATCH = 100
"""Number of images that `limit_test_batches` counts as a batch, on every device."""
GOLDEN = (math.sqrt(5) - 1) / 2


def part_of_test(labels: Tensor, classes: int, batches: int | None) -> Tensor | None:
    """Return the positions of the tested images in ascending order; None if all are tested.

    The first images of a test split may be of one class only, as those of folders are. The part is
    therefore taken in rounds, one image of each class that has any left. Within a class, the images
    of a part lie at about equal distances, and so do the classes of a last, incomplete round. The
    part depends on the labels alone: it is the same for every seed, and part of each larger one.

    Args:
        labels: classes of all test images, int64 [N].
        classes: number of classes.
        batches: largest number of batches of `BATCH` images; None for all images.

    Returns:
        int64 [min(N, batches * BATCH)], or None.
    """
    if batches is None or batches * BATCH >= len(labels):
        return None
    rounds = torch.empty_like(labels)
    for label in range(classes):
        members = (labels == label).nonzero().squeeze(1)
        rounds[members[evenly(len(members))]] = torch.arange(len(members))
    turns = torch.empty(classes, dtype=torch.int64)
    turns[evenly(classes)] = torch.arange(classes)
    order = (rounds * classes + turns[labels]).argsort()
    return order[: batches * BATCH].sort().values


def evenly(count: int) -> Tensor:
    """Return an order of `count` things in which the first of any number lie far apart.

    The multiples of the golden ratio modulo 1 are sorted: those below a bound have at most three
    different distances between them, which are about equal (three-gap theorem, Sós 1958).

    Returns:
        Permutation of 0 to count - 1, int64 [count].
    """
    return (torch.arange(count, dtype=torch.float64) * GOLDEN).frac().argsort()
