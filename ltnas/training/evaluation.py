"""Accuracy, F1 and calibration of predictions: overall, by class and by shot group.

torchmetrics counts. Ratios of its counts are taken here, in double precision: torchmetrics divides
in single precision, and the error of the eighth digit would be visible in metrics.json.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_confusion_matrix,
)

from ltnas.data.test_sets import Groups

CALIBRATION_BINS = 15


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


def accuracy(confusion: Tensor) -> float:
    """Return the share of images on the diagonal, in [0, 1]."""
    return float(confusion.diagonal().sum().double() / confusion.sum())


def recalls(confusion: Tensor) -> list[float | None]:
    """Return the accuracy of each class, in [0, 1]; None for a class without test images."""
    hits, totals = confusion.diagonal().tolist(), confusion.sum(1).tolist()
    return [hit / total if total else None for hit, total in zip(hits, totals, strict=True)]


def f1_scores(confusion: Tensor) -> list[float | None]:
    """Return 2 TP / (2 TP + FP + FN) of each class; None for a class without test images."""
    images, taken, hits = confusion.sum(1), confusion.sum(0), confusion.diagonal()
    scores = (2 * hits.double() / (images + taken).clamp_min(1)).tolist()
    return [score if count else None for score, count in zip(scores, images.tolist(), strict=True)]


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
    confusion: Tensor, error: float, names: tuple[str, ...], groups: Groups
) -> dict[str, Any]:
    """Return the results on a test set, in plain types; accuracies in [0, 1].

    Accuracy of all images and of each class, means over the classes of each shot group, macro
    averages, calibration error and confusion matrix. A group without classes is None, and so is a
    class without test images.

    Args:
        confusion: confusion matrix, [classes, classes].
        error: expected calibration error.
        names: names of the classes.
        groups: class numbers of each shot group.
    """
    per_class = recalls(confusion)
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
