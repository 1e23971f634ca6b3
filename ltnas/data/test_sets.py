"""Test sets of a long-tailed data set, and its many-, medium- and few-shot classes.

The set of all test images is called `balanced` if it has about as many images of each class, as
that of CIFAR-10, and `test` otherwise. Accuracy on an unbalanced set is mostly that of its large
classes; results on it are therefore ranked by the mean of the classes' accuracies (macro accuracy).

This module does not import torch, because reports need the names.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

BALANCED, UNBALANCED, LONG_TAILED = "balanced", "test", "long_tailed"
"""Names of test sets: all test images if they are balanced, all if they are not, and a part of them
that is reduced by the imbalance rule."""
VALIDATION = "validation"
"""Name of the results on images that are neither learned from nor tested on."""
BALANCED_FROM = 0.9
"""Size of the smallest class over that of the largest from which on images count as balanced."""

Groups = dict[str, list[int]]
"""Class numbers of the groups `many`, `medium` and `few`."""


def shot_groups(counts: list[int], many_above: int | None, few_below: int | None) -> Groups:
    """Group the classes by their number of training images.

    The usual absolute thresholds (100 and 20, Liu et al. 2019) do not separate ten classes of
    hundreds of images each. By default, the range from the smallest to the largest class is
    therefore divided into three equal parts on a logarithmic scale. Classes of equal size are all
    many-shot.

    Args:
        counts: number of training images of each class, [C].
        many_above: classes with more images are many-shot; None for the upper third.
        few_below: classes with fewer images are few-shot; None for the lower third.
    """
    # Boundaries at one and two thirds of the logarithmic range.
    largest, ratio = max(counts), min(counts) / max(counts)
    # Counts are rounded down, and a class on a boundary belongs to the larger group: hence - 1.
    many = largest * ratio ** (1 / 3) - 1 if many_above is None else many_above
    few = largest * ratio ** (2 / 3) - 1 if few_below is None else few_below - 1
    groups: Groups = {"many": [], "medium": [], "few": []}
    for label, count in enumerate(counts):
        groups["many" if count > many else "few" if count <= few else "medium"].append(label)
    return groups


def name_of_all(counts: Sequence[int]) -> str:
    """Return the name of the set of all test images, `balanced` if the class sizes are about equal.

    Args:
        counts: number of images of each class, [C].
    """
    return BALANCED if min(counts) >= BALANCED_FROM * max(counts) else UNBALANCED


def all_images(names: Collection[str]) -> str:
    """Return the name of the set of all test images, of the names of all test sets of a result."""
    return UNBALANCED if UNBALANCED in names else BALANCED


def headline(name: str) -> str:
    """Return the number of a test report that ranks results on the test set with this name."""
    return "macro_accuracy" if name == UNBALANCED else "accuracy"


def title(name: str) -> str:
    """Return the name of a set of images as text, for example `test` or `balanced test`."""
    return name if name in (UNBALANCED, VALIDATION) else f"{name.replace('_', '-')} test"


@dataclass(frozen=True)
class TestSets:
    """Test sets that share one list of tested images.

    Args:
        classes: number of classes.
        long_tailed: positions of the long-tailed test set among the tested images, int64 [N]; None
            if there is only the set of all test images.
        groups: classes of each shot group, see `shot_groups`.
        name: name of the set of all test images, see `name_of_all`.
        part: number of tested images if they are a part of all test images; None otherwise.
        validation: number of images of a validation split, which follow the tested images.
    """

    __test__ = False  # pytest would collect the class because of its name

    classes: int
    long_tailed: Tensor | None
    groups: Groups
    name: str = BALANCED
    part: int | None = None
    validation: int = 0

    @property
    def headline(self) -> str:
        """Column of the history that ranks results, for example `accuracy_balanced`."""
        return f"{headline(self.name)}_{self.name}"
