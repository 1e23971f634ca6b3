"""The test sets of a long-tailed data set, and its classes grouped by their training images."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class TestSets:
    """What is tested: `long_tailed` are the places of the long-tailed test set among all images.

    Args:
        classes: how many.
        long_tailed: int64 [N].
        groups: see `shot_groups`.
    """

    __test__ = False  # not a test of pytest's

    classes: int
    long_tailed: Tensor
    groups: Groups
