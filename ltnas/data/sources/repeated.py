"""Image files that lists name more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import NamedTuple

from ltnas.data.sources.rows import Row
from ltnas.errors import UserError

Named = tuple[Path, Row]
"""A file, and a row of a list that names it."""


class Pair(NamedTuple):
    """A file that is named again.

    Args:
        file: the file, without symbolic links.
        first: row that names it first.
        first_split: split of this row.
        again: another row that names it.
        split: split of the other row.
    """

    file: Path
    first: Row
    first_split: str
    again: Row
    split: str


def check_repeated(splits: Mapping[str, Sequence[Named]]) -> None:
    """Raise `UserError` if results would be wrong because lists name a file several times.

    A file must have one label and one name, and no file that is trained on may be an image for
    validation or testing. Symbolic links are resolved first.

    Args:
        splits: files of each split; those for training come first.
    """
    pairs = list(_pairs(splits))
    for pair in pairs:
        _check_pair(pair)
    overlap = [pair for pair in pairs if pair.first_split == "train" and pair.split != "train"]
    if overlap:
        first = overlap[0]
        count = sum(pair.split == first.split for pair in overlap)
        raise UserError(
            f"{count:,} of the {len(splits[first.split]):,} {first.split} images are also among "
            f"the training images, the first is {first.again.name}: name each image in one list"
        )


def _pairs(splits: Mapping[str, Sequence[Named]]) -> Iterator[Pair]:
    """Yield each row that names a file again, with the first row of this file."""
    seen: dict[Path, tuple[Row, str]] = {}
    resolved = _resolver()
    for split, named in splits.items():
        for path, row in named:
            file = resolved(path)
            if file in seen:
                yield Pair(file, *seen[file], row, split)
            else:
                seen[file] = (row, split)


def _resolver() -> Callable[[Path], Path]:
    """Return a function that resolves the links of a path, and those of each folder only once."""
    folder = cache(Path.resolve)

    def resolved(file: Path) -> Path:
        return file.resolve() if file.is_symlink() else folder(file.parent) / file.name

    return resolved


def _check_pair(pair: Pair) -> None:
    """Raise `UserError` if two rows give a file different labels or names."""
    if pair.first.label != pair.again.label:
        raise UserError(
            f"image {pair.again.name} has the labels {pair.first.label} and {pair.again.label} in "
            "the lists: an image must have one"
        )
    if _path(pair.first) != _path(pair.again):
        raise UserError(
            f"{pair.first.name} and {pair.again.name} in the lists are both {pair.file}: correct "
            "one, or set data.images to the folder from which the names are paths"
        )


def _path(row: Row) -> PurePath:
    """Return the name in a row as a path from the folder of the images."""
    return PurePath(row.name.lstrip("/\\"))
