"""Accuracy, F1 and calibration of predictions: overall, by class and by shot group.

torchmetrics makes the confusion matrix and the calibration error. Accuracies and F1 are ratios of
counts of each class, which are taken here for two reasons: torchmetrics divides in single
precision, whose error in the eighth digit would be visible in metrics.json, and it counts in a
matrix of all pairs of classes, which has 530 megabytes for 8,142 classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_confusion_matrix,
)

from ltnas.data.test_sets import Groups

CALIBRATION_BINS = 15
LARGEST_MATRIX = 100
"""Number of classes up to which results contain a confusion matrix."""


def counts_by_class(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count the right predictions, the predictions and the images of each class.

    Args:
        predictions: class numbers, int64 [N].
        labels: class numbers, int64 [N].
        classes: number of classes.

    Returns:
        int64 [3, classes].
    """
    counted = (labels[predictions == labels], predictions, labels)
    return torch.stack([members.bincount(minlength=classes) for members in counted])


def counts_of(confusion: Tensor) -> Tensor:
    """Return `counts_by_class` of a confusion matrix [classes, classes]."""
    return torch.stack([confusion.diagonal(), confusion.sum(0), confusion.sum(1)])


def confusion_matrix(predictions: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count the images of each true class (row) and predicted class (column).

    Args:
        predictions: class numbers, int64 [N].
        labels: class numbers, int64 [N].
        classes: number of classes.

    Returns:
        int64 [classes, classes].
    """
    counts: Tensor = multiclass_confusion_matrix(predictions, labels, classes, validate_args=False)
    return counts


def accuracy(counts: Tensor) -> float:
    """Return the share of images whose class was predicted, in [0, 1].

    Args:
        counts: see `counts_by_class`.
    """
    hits, _, images = counts.sum(1).tolist()
    return float(hits / images)


def recalls(counts: Tensor) -> list[float | None]:
    """Return the accuracy of each class, in [0, 1]; None for a class without test images."""
    hits, _, totals = counts.tolist()
    return [hit / total if total else None for hit, total in zip(hits, totals, strict=True)]


def f1_scores(counts: Tensor) -> list[float | None]:
    """Return 2 TP / (2 TP + FP + FN) of each class; None for a class without test images."""
    return [
        2 * hits / (images + predicted) if images else None
        for hits, predicted, images in counts.T.tolist()
    ]


def calibration_error(confidences: Tensor, hits: Tensor) -> float:
    """Expected calibration error (Guo et al. 2017, equation 3), in [0, 1].

    The bins are ((m - 1) / M, m / M], as in the paper. Those of torchmetrics are closed below
    instead, which gives a confidence of 1 a bin of its own. It is therefore given the complements
    of both, which turns its bins into those of the paper and leaves each bin's gap as it is.

    Args:
        confidences: probability of the predicted class, [N].
        hits: True where the prediction was right, bool [N].
    """
    doubts = 1 - confidences.double()
    return float(binary_calibration_error(doubts, (~hits).long(), n_bins=CALIBRATION_BINS))


def mean_of(values: list[float | None], members: Iterable[int]) -> float | None:
    """Return the mean over those members that have a value; None if no member has one."""
    known = [value for value in (values[label] for label in members) if value is not None]
    return sum(known) / len(known) if known else None


def report(
    counts: Tensor,
    confusion: Tensor | None,
    error: float,
    names: tuple[str, ...],
    groups: Groups,
) -> dict[str, Any]:
    """Return the results on a test set, in plain types; accuracies in [0, 1].

    Accuracy of all images and of each class, means over the classes of each shot group, macro
    averages, calibration error and confusion matrix. A group without classes is None, and so is a
    class without test images.

    Args:
        counts: see `counts_by_class`.
        confusion: confusion matrix, [classes, classes]; None leaves it out.
        error: expected calibration error.
        names: names of the classes.
        groups: class numbers of each shot group.
    """
    per_class = recalls(counts)
    everyone = range(len(names))
    return {
        "accuracy": accuracy(counts),
        "macro_accuracy": mean_of(per_class, everyone),
        "macro_f1": mean_of(f1_scores(counts), everyone),
        "calibration_error": error,
        **{group: mean_of(per_class, members) for group, members in groups.items()},
        "per_class": dict(zip(names, per_class, strict=True)),
        "images": int(counts[2].sum()),
        **({} if confusion is None else {"confusion": confusion.tolist()}),
    }
