"""Data sets whose images and labels are listed in files: text, CSV, TSV or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ltnas.config import Data
from ltnas.data.listing import SPLITS, Listing, of_files
from ltnas.data.sources.coco import coco_rows
from ltnas.data.sources.csv_table import csv_rows
from ltnas.data.sources.image_files import ImageFiles
from ltnas.data.sources.labels import numbered
from ltnas.data.sources.litter import is_litter
from ltnas.data.sources.repeated import Named, check_repeated
from ltnas.data.sources.rows import Row, Rows, text_rows
from ltnas.data.sources.split_names import split_of
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded

SUFFIXES = (".txt", ".csv", ".tsv", ".json")
"""Endings of lists."""


class Part(NamedTuple):
    """Images of one split, before they are numbered.

    Args:
        files: path of each image; for a missing one the path where it should be.
        labels: label of each image.
        missing: paths of the missing images.
        found: path of each image that is there, and the row that names it.
    """

    files: list[Path]
    labels: list[str]
    missing: list[Path]
    found: list[Named]


def list_lists(data: Data) -> Listing:
    """List the images that are named in lists.

    The lists are `data.train` and `data.test`, or those in the folder `data.root` whose names have
    a word such as train, val or test. A column `split` of a table divides a single list.

    Raises:
        UserError: a list is missing or damaged, it is not clear which lists are meant, a list names
            a file that is not there and `data.broken` is `error`, or an image has two labels or is
            trained and tested on.
    """
    lists = _lists(data)
    images = ImageFiles(_image_folder(data, lists["train"]))
    read = {split: _read(file, images, data.label) for split, file in lists.items()}
    rows = _by_split(read)
    if "train" not in rows:
        raise UserError(f"list {lists['train']} names no training image with a label: add some")
    parts = {split: _part(rows[split], images) for split in SPLITS if split in rows}
    missing = [file for part in parts.values() for file in part.missing]
    _check_missing(missing, images.folder, lists["train"], data.broken)
    check_repeated({split: part.found for split, part in parts.items()})
    labels, numbers = numbered({split: part.labels for split, part in parts.items()})
    names = {label: name for part in read.values() for label, name in part.names.items()}
    gone = set(missing)
    return Listing(
        tuple(names.get(label, label) for label in labels),
        {split: of_files(part.files, numbers[split]) for split, part in parts.items()},
        [file for part in parts.values() for file in part.files if file not in gone],
        tuple(_notes(lists, read)),
    )


def _by_split(read: Mapping[str, Rows]) -> dict[str, list[Row]]:
    """Return the rows of each split; what a row says comes before the list that it is in."""
    by_split: dict[str, list[Row]] = {}
    for split, part in read.items():
        for row in part.rows:
            by_split.setdefault(row.split or split, []).append(row)
    return by_split


def _notes(lists: Mapping[str, Path], read: Mapping[str, Rows]) -> Iterator[str]:
    """Yield notes on what was read from which list."""
    for part in read.values():
        yield from part.notes
    for split, part in read.items():
        if not part.rows:
            yield f"{lists[split].name} has no labels and was left out"
    used = [f"{split} images from {lists[split].name}" for split in lists if read[split].rows]
    if len(lists) > 1:
        yield ", ".join(used)


def _lists(data: Data) -> dict[str, Path]:
    """Return the list of each split."""
    if data.train is not None:
        given = {"train": data.train, "test": data.test}
        return {
            split: _in_root(data, f"data.{split}", path)
            for split, path in given.items()
            if path is not None
        }
    folder = expanded("data.root", str(data.root))
    if not folder.is_dir():
        raise UserError(f"data.root={folder} is not a folder: set the one with the lists")
    files = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and file.is_file() and not is_litter(file.name)
    )
    named: dict[str, list[Path]] = {}
    for file in files:
        named.setdefault(split_of(file.stem) or "", []).append(file)
    found = {split: named[split] for split in SPLITS if split in named} or {"train": files}
    for split, choices in found.items():
        if len(choices) != 1:
            listed = ", ".join(file.name for file in choices) or "no .txt, .csv, .tsv or .json"
            raise UserError(
                f"data.root={folder} has {listed} for {split}: say which one is meant by "
                "data.train=FILE data.test=FILE"
            )
    if "train" not in found:
        raise UserError(
            f"data.root={folder} has no list of training images: say which one it is by "
            "data.train=FILE"
        )
    return {split: choices[0] for split, choices in found.items()}


def _in_root(data: Data, key: str, path: str) -> Path:
    """Return the path of a setting, which may begin in the folder `data.root`."""
    given = expanded(key, path)
    if data.root is not None:
        inside = expanded("data.root", data.root) / given
        if inside.exists():
            return inside
    return given


def _image_folder(data: Data, train: Path) -> Path:
    """Return the folder in which the files are that the lists name."""
    if data.images is not None:
        folder = _in_root(data, "data.images", data.images)
    elif data.root is not None:
        folder = expanded("data.root", data.root)
    else:
        folder = train.parent
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: set data.images to the folder of the images")
    return folder


def _read(file: Path, images: ImageFiles, label: str | None) -> Rows:
    """Read a list of any format."""
    match file.suffix.lower():
        case ".json":
            return coco_rows(file)
        case ".csv" | ".tsv":
            return csv_rows(file, images, label)
        case _:
            return text_rows(file)


def _part(rows: Sequence[Row], images: ImageFiles) -> Part:
    found = [images.find(row.name) for row in rows]
    wanted = [images.folder / row.name.lstrip("/") for row in rows]
    files = [file or path for file, path in zip(found, wanted, strict=True)]
    missing = [path for file, path in zip(found, wanted, strict=True) if file is None]
    named = [(file, row) for file, row in zip(found, rows, strict=True) if file is not None]
    return Part(files, [row.label for row in rows], missing, named)


def _check_missing(missing: Sequence[Path], folder: Path, train: Path, broken: str) -> None:
    """Raise `UserError` if files are missing, unless they are to be skipped as broken ones are."""
    if missing and broken == "error":
        names = ", ".join(str(file.relative_to(folder)) for file in missing[:3])
        more = ", ..." if missing[3:] else ""
        raise UserError(
            f"{len(missing):,} images of {train} and the lists beside it are not below {folder}: "
            f"{names}{more}; set data.images=FOLDER, or leave them out with data.broken=skip"
        )
