"""Long-tailed subsets as Cao et al. (2019, LDAM-DRW) build them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ltnas.config import Imbalance

Indices = NDArray[np.int64]


def wanted_counts(imbalance: Imbalance, images: int, classes: int) -> list[int] | None:
    """Images that the rule asks for of each class; None: all that there are.

    With n = images / classes: `exp` asks for int(n * mu ** (i / (C - 1))) of class i, `step` for
    int(n) of the first C // 2 classes and int(n * mu) of the others, `balance` for int(n) of each.
    """
    largest = images / classes
    factor = imbalance.factor if imbalance.factor is not None else 1.0
    match imbalance.kind:
        case "exp":
            return [int(largest * factor ** (i / (classes - 1.0))) for i in range(classes)]
        case "step":
            head = classes // 2
            return [int(largest)] * head + [int(largest * factor)] * (classes - head)
        case "balance":
            return [int(largest)] * classes
        case _:
            return None


def class_counts(wanted: list[int] | None, labels: Indices, classes: int) -> list[int]:
    """How many images of each class are kept: those wanted, or all of a class that has fewer."""
    available = [int(count) for count in np.bincount(labels, minlength=classes)]
    return (
        available if wanted is None else [min(pair) for pair in zip(wanted, available, strict=True)]
    )


def subset_indices(labels: Indices, counts: list[int], seed: int) -> Indices:
    """Indices of the kept images, int64 [sum of counts], class after class.

    The stream of numpy's legacy generator and the order of its use are those of the published
    code, so that seed 0 keeps the very images that the field trains on.
    """
    generator = np.random.RandomState(seed)
    kept = []
    for label, count in enumerate(counts):
        indices = np.where(labels == label)[0]
        generator.shuffle(indices)
        kept.append(indices[:count])
    return np.concatenate(kept).astype(np.int64)


def checksum(indices: Indices) -> str:
    """Sixteen hexadecimal digits that tell whether two subsets are the same."""
    return hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()[:16]


def stratified_halves(labels: Indices, seed: int) -> tuple[Indices, Indices]:
    """Positions for the weights and for the architecture: half of each class to either.

    Of an odd class the weights get the larger part; a class of one image serves both, as neither
    stream may lack a class.

    Args:
        labels: class numbers of the subset, int64 [N].
        seed: of the shuffle within each class.
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
