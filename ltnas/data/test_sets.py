"""Test sets of a long-tailed data set, and its many-, medium- and few-shot classes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

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


@dataclass(frozen=True)
class TestSets:
    """Test sets that share one list of test images.

    Args:
        classes: number of classes.
        long_tailed: positions of the long-tailed test set among all test images, int64 [N].
        groups: classes of each shot group, see `shot_groups`.
    """

    __test__ = False  # pytest would collect the class because of its name

    classes: int
    long_tailed: Tensor
    groups: Groups
