"""Reasons to doubt the result of one training, from its metrics.json alone."""

from __future__ import annotations

import math
from typing import Any

from ltnas.data.test_sets import BALANCED, all_images

FEW_TEST_IMAGES = 100
"""Number of test images of a class below which its accuracy is uncertain by 10 points (95 %)."""
FEW_TRAINING_IMAGES = 20
"""Number of training images below which a class is few-shot (Liu et al. 2019, section 5.1)."""
LARGE_CALIBRATION_ERROR = 0.05
"""Calibration error from which on probabilities mislead; 2 to 3 % are good (Guo et al. 2017)."""


def doubts(metrics: dict[str, Any]) -> list[str]:
    """Return one line for each reason to trust the result of a training less than it looks.

    Args:
        metrics: content of metrics.json of a training.
    """
    report = metrics["test"][all_images(metrics["test"])]
    lines = [
        f"one training, of seed {metrics['seed']}: others differ, often by a point; compare means "
        "of at least three seeds",
        *_of_test_images(metrics, report),
        *_of_classes(metrics, report),
        *_of_probabilities(_calibration_error(metrics, report)),
    ]
    if metrics["provenance"]["commit"].endswith("+"):  # "+" marks uncommitted changes
        lines.append("the code of the training was not committed")
    return lines


def _of_test_images(metrics: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """Return doubts about how much the test images can tell."""
    lines = []
    available, used = metrics["data"]["test_images"], report["images"]
    if used < available:
        lines.append(f"tested on {used:,} of {available:,} test images")
    # Half the width of the interval that holds the accuracy at 95 %.
    share = report["accuracy"]
    margin = 1.96 * math.sqrt(max(share * (1 - share), 1e-12) / used)
    lines.append(
        f"the accuracy is uncertain by {100 * margin:.1f} points (95 %), as that of {used:,} test "
        "images"
    )
    # Of very many classes there is no confusion matrix, whose rows count test images.
    images = [sum(row) for row in report.get("confusion", [])]
    few = sum(count < FEW_TEST_IMAGES for count in images)
    if few:
        lines.append(
            f"{few} of {len(images)} classes have fewer than {FEW_TEST_IMAGES} test images: their "
            "accuracies are uncertain by ten points and more"
        )
    if BALANCED not in metrics["test"]:
        lines.append(
            "the test images are not balanced: look at the mean of the classes, since the accuracy "
            "of all images is mostly that of the large classes"
        )
    return lines


def _of_classes(metrics: dict[str, Any], report: dict[str, Any]) -> list[str]:
    """Return doubts about classes that were seldom seen, or are never recognised."""
    lines = []
    counts = metrics["data"]["class_counts"]
    rare = sum(count < FEW_TRAINING_IMAGES for count in counts)
    if rare:
        lines.append(
            f"{rare} of {len(counts)} classes have fewer than {FEW_TRAINING_IMAGES} training images"
        )
    missed = sum(value == 0 for value in report["per_class"].values())
    if missed:
        lines.append(f"{missed} of {len(counts)} classes are never recognised in the test")
    return lines


def _calibration_error(metrics: dict[str, Any], report: dict[str, Any]) -> float:
    """Return the calibration error on all test images, at the temperature if there is one."""
    if "calibration" not in metrics:
        return float(report["calibration_error"])
    errors = metrics["calibration"]["calibration_error"]
    return float(errors[all_images(metrics["test"])]["after"])


def _of_probabilities(error: float) -> list[str]:
    """Return doubts about probabilities with a calibration error, in [0, 1]."""
    if error < LARGE_CALIBRATION_ERROR:
        return []
    return [
        f"probabilities are {100 * error:.1f} points off on average (calibration error): do not "
        "take them for frequencies"
    ]
