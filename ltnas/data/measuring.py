"""Training images on which architectures are measured: neither augmented nor learned from."""

from __future__ import annotations

import torch
from torch import Tensor

from ltnas.data.long_tail import LongTail
from ltnas.data.stream import Batch
from ltnas.data.subset import Indices


def measuring_batches(
    long_tail: LongTail, positions: Indices, *, size: int, device: torch.device
) -> list[Batch]:
    """Return images as batches, standardised and not augmented.

    Args:
        long_tail: training images.
        positions: positions of the images among the training images.
        size: largest number of images of a batch.
        device: device of the batches.
    """
    chosen = torch.from_numpy(positions)
    images = long_tail.train.take(chosen).to(device)
    labels = long_tail.train.labels[chosen].to(device)
    # Batches of equal sizes up to one image: a small last batch would have poor statistics.
    count = -(-len(positions) // size)
    return [
        Batch((long_tail.normalisation.standardise_bytes(part),), of_part)
        for part, of_part in zip(
            images.tensor_split(count), labels.tensor_split(count), strict=True
        )
    ]


def balanced_positions(labels: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Draw positions of images, equally many of each class as far as the classes have them.

    In rounds, of which each takes one image of every class that has any left, in random order. So
    the first images of the batch, and its parts, are about balanced too.

    Args:
        labels: class numbers of all images, int64 [N].
        size: number of images to draw; no image is drawn twice, so that at most N are.
        generator: source of all random numbers.
    """
    order = torch.randperm(len(labels), generator=generator)
    by_class = order[labels[order].argsort(stable=True)]
    # Round of each image, [N]: its place among those of its class.
    rounds = torch.cat([torch.arange(count) for count in labels.bincount()])
    ties = torch.rand(len(labels), generator=generator, dtype=torch.float64)
    return by_class[(rounds + ties).argsort()[:size]]
