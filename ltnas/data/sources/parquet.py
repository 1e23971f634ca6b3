"""Data sets as on the Hugging Face hub: tables with encoded images."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ltnas.data.listing import EncodedImage, EncodedImages, Listing
from ltnas.data.sources.columns import Columns, check_columns, chosen_columns
from ltnas.data.sources.labels import numbered
from ltnas.data.sources.table_files import table_files
from ltnas.data.sources.tables import named_classes, read_column, read_schema
from ltnas.errors import UserError

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
Schemas = dict[Path, Any]
"""Columns of files by their paths; pyarrow has no types."""
Labels = list[int] | list[str]


def list_parquet(folder: Path, label: str | None) -> Listing:
    """List the images of the Parquet or Arrow files below a folder.

    Files are found in all layouts of the hub, see `table_files`; their columns are chosen by
    `chosen_columns`.

    Args:
        folder: folder of the files.
        label: name of the column of labels; None to find it.

    Raises:
        UserError: a file is missing, damaged or of another layout, or labels and class names
            contradict one another.
    """
    files, others, partial_files = table_files(folder)
    # All files are checked before the first image is decoded.
    schemas = {file: read_schema(file) for part in files.values() for file in part}
    (first, schema), *_ = schemas.items()
    chosen = chosen_columns(first, schema, label)
    for file, other in schemas.items():
        check_columns(file, other, chosen, schema)
    labels = {split: _labels(part, chosen.label) for split, part in files.items()}
    unlabelled = [split for split in files if split != "train" and _is_empty(labels[split])]
    labels = {split: part for split, part in labels.items() if split not in unlabelled}
    for split, part in labels.items():
        _check_labels(files[split], chosen.label, part)
    classes, numbers = _numbered(schemas, chosen.label, labels)
    splits = {
        split: EncodedImages(numbers[split], partial(_images, files[split], chosen.image))
        for split in labels
    }
    notes = _notes(chosen, unlabelled, others, partial_files)
    return Listing(classes, splits, list(schemas), notes)


def list_cifar10_parquet(folder: Path, label: str | None) -> Listing:
    """List the images of CIFAR-10, whose files may not name the classes; see `list_parquet`."""
    listing = list_parquet(folder, label)
    names = CIFAR10_CLASSES if listing.classes == tuple("0123456789") else listing.classes
    return Listing(names, listing.splits, listing.files, listing.notes)


def _labels(files: Sequence[Path], column: str) -> list[Any]:
    """Return the labels of the images of some files, in the order of files and rows."""
    labels = [label for file in files for label in read_column(file, column)]
    if not labels:
        raise UserError(f"{files[0]} has no rows: download it again")
    return labels


def _is_missing(label: object) -> bool:
    """Return True for labels of images without one: nothing, or as on the hub -1."""
    return label is None or label == "" or (isinstance(label, int) and label < 0)


def _is_empty(labels: Sequence[object]) -> bool:
    return all(_is_missing(label) for label in labels)


def _check_labels(files: Sequence[Path], column: str, labels: Sequence[object]) -> None:
    """Raise `UserError` if a row has no label; most files have none, and are not read again."""
    if not any(_is_missing(label) for label in labels):
        return
    for file in files:
        for row, label in enumerate(read_column(file, column)):
            if _is_missing(label):
                raise UserError(
                    f"{file} row {row} has the label {label}, which is not a class: use a file "
                    "with labels"
                )


def _images(files: Sequence[Path], column: str) -> Iterator[EncodedImage]:
    """Yield the images of some files, in the order of files and rows."""
    for file in files:
        for row, image in enumerate(read_column(file, column)):
            # An image without bytes, such as a mere path, fails in decoding with its name.
            encoded = (image or {}).get("bytes") or b""
            yield EncodedImage(f"{file} row {row}", partial(io.BytesIO, encoded))


def _numbered(
    schemas: Schemas, column: str, labels: Mapping[str, list[Any]]
) -> tuple[tuple[str, ...], dict[str, list[int]]]:
    """Return the names of the classes and the class number of each image."""
    names = _schema_names(schemas, column)
    if not names:
        return numbered({split: [str(label) for label in part] for split, part in labels.items()})
    file, classes = names
    largest = max(max(part) for part in labels.values())
    if largest >= len(classes):
        raise UserError(
            f"{file} names {len(classes)} classes in its schema, but there are labels up to "
            f"{largest}: labels are numbered from 0; add the names that are missing, or correct "
            "the labels"
        )
    return classes, dict(labels)


def _schema_names(schemas: Schemas, column: str) -> tuple[Path, tuple[str, ...]] | None:
    """Return the class names in the schemas of the files, and the first file that has them.

    Raises:
        UserError: files have different names.
    """
    named = [(file, named_classes(schema).get(column)) for file, schema in schemas.items()]
    found = [(file, names) for file, names in named if names]
    if not found:
        return None
    (file, names), *others = found
    for other, other_names in others:
        if other_names != names:
            raise UserError(
                f"{file} and {other} have different class names in their schemas: use files of "
                "one data set"
            )
    return file, names


def _notes(
    columns: Columns,
    unlabelled: Sequence[str],
    others: Sequence[Path],
    partial_files: Sequence[Path],
) -> tuple[str, ...]:
    """Return notes on the choice of labels and on what is left out."""
    notes = []
    if columns.others:
        choices = ", ".join(f"data.label={name}" for name in columns.others)
        notes.append(f"labels are those of the column {columns.label}; others: {choices}")
    notes += [f"the {split} split has no labels and was left out" for split in unlabelled]
    if others:
        more = ", ..." if others[1:] else ""
        notes.append(f"files of no split were left out: {others[0].name}{more}")
    if partial_files:
        name = "/".join(partial_files[0].parts[-2:])
        more = ", ..." if partial_files[1:] else ""
        notes.append(f"files of a part of a split beside the whole were left out: {name}{more}")
    return tuple(notes)
