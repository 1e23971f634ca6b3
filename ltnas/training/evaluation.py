"""How good predictions are: on all images, each class, many-, medium- and few-shot classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ltnas.data.test_sets import Groups

CALIBRATION_BINS = 15


def confusion_matrix(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """How often a class (row) was taken for a class (column), int64 [classes, classes]."""
    return torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, -1)


def accuracy(confusion: Tensor) -> float:
    """Share of images on the diagonal, in [0, 1]."""
    return float(confusion.diagonal().sum().double() / confusion.sum())


def f1_scores(confusion: Tensor) -> list[float | None]:
    """2 TP / (2 TP + FP + FN) of each class; None for one without test images."""
    images, taken, hits = confusion.sum(1), confusion.sum(0), confusion.diagonal()
    scores = (2 * hits.double() / (images + taken).clamp_min(1)).tolist()
    return [score if count else None for score, count in zip(scores, images.tolist(), strict=True)]


def calibration_error(confidences: Tensor, hits: Tensor) -> float:
    """Expected calibration error: how far confidence is from accuracy, in bins of confidence.

    Guo et al. 2017, equation 3, with bins ((m - 1) / M, m / M]. torchmetrics closes them below,
    which gives a confidence of 1 a bin of its own.

    Args:
        confidences: probability of the predicted class, [N].
        hits: whether it was the right one, bool [N].
    """
    edges = torch.arange(1, CALIBRATION_BINS, dtype=torch.float64) / CALIBRATION_BINS
    bins = torch.bucketize(confidences.double(), edges)
    gaps = hits.double() - confidences.double()
    sums = torch.bincount(bins, weights=gaps, minlength=CALIBRATION_BINS)
    return float(sums.abs().sum() / len(confidences))


def mean_of(values: list[float | None], members: Iterable[int]) -> float | None:
    """Over those members that have a value; None if none has."""
    known = [value for value in (values[label] for label in members) if value is not None]
    return sum(known) / len(known) if known else None


def report(
    confusion: Tensor, error: float, names: tuple[str, ...], groups: Groups
) -> dict[str, Any]:
    """Accuracy, in [0, 1], of all images, of each class, the mean over each group's classes; F1.

    A group without classes is None; so is a class without test images.

    Args:
        confusion: see `confusion_matrix`.
        error: see `calibration_error`.
        names: of the classes.
        groups: see `shot_groups`.
    """
    totals = confusion.sum(1).tolist()
    hits = confusion.diagonal().tolist()
    per_class = [hit / total if total else None for hit, total in zip(hits, totals, strict=True)]
    everyone = range(len(names))
    return {
        "accuracy": accuracy(confusion),
        "macro_accuracy": mean_of(per_class, everyone),
        "macro_f1": mean_of(f1_scores(confusion), everyone),
        "calibration_error": error,
        **{group: mean_of(per_class, members) for group, members in groups.items()},
        "per_class": dict(zip(names, per_class, strict=True)),
        "images": int(confusion.sum()),
        "confusion": confusion.tolist(),
    }
