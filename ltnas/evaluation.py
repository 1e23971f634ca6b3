"""Accuracy over all, for each class, and for many-, medium- and few-shot classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Groups = dict[str, list[int]]
"""`many`, `medium` and `few`, each with its class numbers."""


def shot_groups(counts: list[int], many_above: int | None, few_below: int | None) -> Groups:
    """Classes grouped by their training images.

    Absolute thresholds (Liu et al. 2019: 100 and 20) say nothing of ten classes with hundreds of
    images each, so by default the range from the smallest to the largest class is cut in three on
    a logarithmic scale; classes of one size are all many-shot.

    Args:
        counts: training images of each class.
        many_above: more images than this are many; None: the upper cut.
        few_below: fewer images than this are few; None: the lower cut.
    """
    largest, ratio = max(counts), min(counts) / max(counts)
    many = largest * ratio ** (1 / 3) - 1 if many_above is None else many_above
    few = largest * ratio ** (2 / 3) - 1 if few_below is None else few_below - 1
    # Less one: counts are rounded down, and a class on a cut belongs to the larger side.
    groups: Groups = {"many": [], "medium": [], "few": []}
    for label, count in enumerate(counts):
        groups["many" if count > many else "few" if count <= few else "medium"].append(label)
    return groups


def confusion_matrix(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """How often a class (row) was taken for a class (column), int64 [classes, classes]."""
    return torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, -1)


def accuracy(confusion: Tensor) -> float:
    """Share of images on the diagonal, in [0, 1]."""
    return float(confusion.diagonal().sum().double() / confusion.sum())


def report(confusion: Tensor, names: tuple[str, ...], groups: Groups) -> dict[str, Any]:
    """Accuracy, in [0, 1], of all images, of each class, and the mean over each group's classes.

    A group without classes is None; so is a class without test images.
    """
    totals = confusion.sum(1).tolist()
    hits = confusion.diagonal().tolist()
    per_class = [hit / total if total else None for hit, total in zip(hits, totals, strict=True)]

    def mean(members: list[int]) -> float | None:
        known = [value for value in (per_class[label] for label in members) if value is not None]
        return sum(known) / len(known) if known else None

    return {
        "accuracy": accuracy(confusion),
        "macro_accuracy": mean(list(range(len(names)))),
        **{group: mean(members) for group, members in groups.items()},
        "per_class": dict(zip(names, per_class, strict=True)),
        "images": int(confusion.sum()),
        "confusion": confusion.tolist(),
    }
