"""Numbers of classes for labels that are texts or any numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

NUMBER = re.compile(r"-?\d+")


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Return the different labels, by value if all are whole numbers, else alphabetically."""
    names = set(labels)
    return tuple(sorted(names, key=int if all(map(NUMBER.fullmatch, names)) else None))


def numbered(
    splits: Mapping[str, Sequence[str]],
) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Return the names of the classes, and the class number of each image.

    Labels need not begin at 0, nor follow one another: every label of any split is a class.

    Args:
        splits: label of each image of each split.
    """
    names = class_names(label for labels in splits.values() for label in labels)
    number_of = {name: number for number, name in enumerate(names)}
    return names, {
        split: [number_of[label] for label in labels] for split, labels in splits.items()
    }
