"""Training images on which architectures are measured: neither augmented nor learned from."""

from __future__ import annotations

import numpy as np
import torch

from ltnas.data.long_tail import LongTail
from ltnas.data.stream import Batch
from ltnas.data.subset import Indices, subset_indices


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
    images = long_tail.train.images[chosen].to(device)
    labels = long_tail.train.labels[chosen].to(device)
    # Batches of equal sizes up to one image: a small last batch would have poor statistics.
    count = -(-len(positions) // size)
    return [
        Batch((long_tail.normalisation.standardise_bytes(part),), of_part)
        for part, of_part in zip(
            images.tensor_split(count), labels.tensor_split(count), strict=True
        )
    ]


def balanced_part(labels: Indices, positions: Indices, images: int, seed: int) -> Indices:
    """Return positions with as equally many images of each class as there are, in random order.

    Args:
        labels: class numbers of the training images, int64 [N].
        positions: positions among the training images to choose from.
        images: number of images; fewer if classes have fewer than their share.
        seed: seed of the draw.
    """
    own = labels[positions]
    present = np.unique(own)
    share = -(-images // len(present))
    counts = [min(share, int(count)) for count in np.bincount(own, minlength=int(labels.max()) + 1)]
    chosen = positions[subset_indices(own, counts, seed)]
    return np.random.RandomState(seed).permutation(chosen)[: max(images, 2)]
