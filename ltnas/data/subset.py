"""Long-tailed subsets by the rule of Cao et al. (2019, LDAM-DRW)."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ltnas.config import Imbalance

Indices = NDArray[np.int64]


def wanted_counts(imbalance: Imbalance, images: int, classes: int) -> list[int] | None:
    """Return the number of images that the imbalance rule asks for in each class.

    With n = images / classes and C classes, `exp` asks for int(n * mu ** (i / (C - 1))) images of
    class i, `step` for int(n) images of the first C // 2 classes and int(n * mu) of the others,
    `balance` for int(n) images of each class. `natural` keeps all images and gives None.

    Args:
        imbalance: kind of the rule and the imbalance factor mu.
        images: number of images of the source.
        classes: number of classes C.

    Raises:
        ValueError: the kind of imbalance is unknown.
    """
    largest = images / classes
    factor = imbalance.factor if imbalance.factor is not None else 1.0
    match imbalance.kind:
        case "exp":
            return [int(largest * factor ** (i / (classes - 1.0))) for i in range(classes)]
        case "step":
            head = classes // 2  # of an odd number of classes, the tail has one more
            return [int(largest)] * head + [int(largest * factor)] * (classes - head)
        case "balance":
            return [int(largest)] * classes
        case "natural":
            return None
        case kind:
            raise ValueError(f"{kind} is not a value on the imbalance axis")


def class_counts(wanted: list[int] | None, labels: Indices, classes: int) -> list[int]:
    """Return the number of images that are kept of each class.

    Args:
        wanted: number of images that the imbalance rule asks for, [C]; a class with fewer images
            keeps all of them. None keeps every image.
        labels: class numbers of the images of the source, int64 [N].
        classes: number of classes C.
    """
    available = [int(count) for count in np.bincount(labels, minlength=classes)]
    if wanted is None:
        return available
    return [min(pair) for pair in zip(wanted, available, strict=True)]


def subset_indices(labels: Indices, counts: list[int], seed: int) -> Indices:
    """Return the indices of the kept images, ordered by class, int64 [sum of counts].

    Numpy's legacy generator is used in the same order as in the published code of LDAM-DRW, so
    that seed 0 keeps exactly the images of the published experiments.

    Args:
        labels: class numbers of the images of the source, int64 [N].
        counts: number of images to keep of each class, [C].
        seed: seed of the shuffle within each class.
    """
    generator = np.random.RandomState(seed)
    kept = []
    for label, count in enumerate(counts):
        indices = np.where(labels == label)[0]
        generator.shuffle(indices)
        kept.append(indices[:count])
    return np.concatenate(kept).astype(np.int64)


def checksum(indices: Indices) -> str:
    """Return 16 hexadecimal digits that identify a subset and the order of its images."""
    return hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()[:16]


def stratified_halves(labels: Indices, seed: int) -> tuple[Indices, Indices]:
    """Split a subset into positions for the weights and for the architecture parameters.

    Each half gets half of the images of every class. If a class has an odd number of images, the
    weights get one more; if it has a single image, both halves contain it, because neither stream
    may lack a class.

    Args:
        labels: class numbers of the subset, int64 [N].
        seed: seed of the shuffle within each class.
    """
    generator = np.random.RandomState(seed)
    weights, architecture = [], []
    for label in np.unique(labels):
        positions = np.where(labels == label)[0]
        generator.shuffle(positions)
        middle = (len(positions) + 1) // 2
        weights.append(positions[:middle])
        architecture.append(positions[middle:] if len(positions) > 1 else positions)
    return np.concatenate(weights), np.concatenate(architecture)
