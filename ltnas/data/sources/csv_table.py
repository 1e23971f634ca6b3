"""Lists of images in CSV and TSV files: a column of names and one of labels, or one a class."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ltnas.data.sources.image_files import ImageFiles
from ltnas.data.sources.rows import Row, Rows, read_text
from ltnas.data.sources.split_names import NAMES
from ltnas.errors import UserError

Table = Mapping[str, Sequence[str]]
"""Values of each column by its name."""
SAMPLE = 100
"""Number of rows by which the column of names is found."""
LABELS = ("label", "labels", "class", "category", "target", "fine_label")
"""Usual names of the column of labels; the only column beside names and splits may have any."""
SPLIT = "split"
"""Name of the column of splits."""


def csv_rows(file: Path, images: ImageFiles, wanted: str | None) -> Rows:
    """Read a table.

    Args:
        file: path of the table; the first line has the names of the columns, unless it is an image.
        images: image files, by which the column of their names is found.
        wanted: name of the column of labels; None to find it.

    Raises:
        UserError: the table is empty or uneven, it cannot be told which column has the labels, or
            an image has several.
    """
    table = _read(file, images)
    name = _name_column(file, table, images)
    splits = _splits(file, table)
    rest = {key: values for key, values in table.items() if key not in (name, _split_key(table))}
    labels, notes = _labels(file, rest, wanted, table[name])
    rows = [Row(*row) for row in zip(table[name], labels, splits, strict=True)]
    return Rows(rows, notes=notes)


def _read(file: Path, images: ImageFiles) -> Table:
    """Return the columns of a table of commas, semicolons or tabs."""
    lines = read_text(file).splitlines()
    if not lines:
        raise UserError(f"list {file} is empty: it needs a line for each image")
    delimiter = max(",;\t", key=lines[0].count)
    rows = [
        [cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter) if any(row)
    ]
    if any(images.has(cell) for cell in rows[0]):  # no names of columns
        rows.insert(0, [f"column {number}" for number, _ in enumerate(rows[0], start=1)])
    header, *body = rows
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise UserError(
                f"row {number} of {file} has {len(row)} columns, the first row {len(header)}: "
                "correct it"
            )
    if not body:
        raise UserError(f"list {file} has no rows: it needs one for each image")
    return {key: [row[column] for row in body] for column, key in enumerate(header)}


def _name_column(file: Path, table: Table, images: ImageFiles) -> str:
    """Return the column with the most different names of image files among the first rows."""
    found = {
        key: len({value for value in values[:SAMPLE] if value and images.has(value)})
        for key, values in table.items()
    }
    name = max(found, key=lambda key: found[key])
    if not found[name]:
        raise UserError(
            f"no column of {file} ({', '.join(table)}) names an image below {images.folder}: set "
            "data.images=FOLDER to the folder of the images"
        )
    return name


def _split_key(table: Table) -> str | None:
    return next((key for key in table if key.lower() == SPLIT), None)


def _splits(file: Path, table: Table) -> list[str | None]:
    """Return the split of each row by the column `split`; None without such a column."""
    key = _split_key(table)
    if key is None:
        return [None] * len(next(iter(table.values())))
    unknown = {value for value in table[key] if value.lower() not in NAMES}
    if unknown:
        raise UserError(
            f"column {key} of {file} has the value {min(unknown)!r}: splits are train, validation "
            "and test"
        )
    return [NAMES[value.lower()] for value in table[key]]


def _labels(
    file: Path, table: Table, wanted: str | None, names: Sequence[str]
) -> tuple[Sequence[str], tuple[str, ...]]:
    """Return the label of each row, and notes on the choice.

    Args:
        file: path of the table, for messages.
        table: columns that may have the labels.
        wanted: see `csv_rows`.
        names: names of the images, for messages.
    """
    if wanted is not None:
        if wanted not in table:
            raise UserError(
                f"{file} has no column {wanted} (data.label) beside its names and splits: choose "
                f"one of {', '.join(table)}"
            )
        return table[wanted], ()
    usual = next((key for name in LABELS for key in table if key.lower() == name), None)
    if usual is not None or len(table) == 1:
        return table[usual or next(iter(table))], ()
    flags = {key: values for key, values in table.items() if all(map(_is_flag, values))}
    if len(flags) < 2:
        raise UserError(
            f"{file} has the columns {', '.join(table) or 'of names alone'}: it cannot be told "
            "which one has the labels; add data.label=COLUMN"
        )
    return _one_hot(file, flags, names)


def _is_flag(value: str) -> bool:
    try:
        return float(value) in (0.0, 1.0)
    except ValueError:
        return False


def _one_hot(file: Path, flags: Table, names: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return the column that is 1 in each row, and a note on columns that never are."""
    classes = list(flags)
    labels = []
    for row, values in enumerate(zip(*flags.values(), strict=True)):
        chosen = [key for key, value in zip(classes, values, strict=True) if float(value) == 1]
        if len(chosen) != 1:
            raise UserError(
                f"{file} gives {names[row]} {len(chosen)} of the classes {', '.join(classes)}: an "
                "image must have one; data sets of several labels are not for this, or add "
                "data.label=COLUMN"
            )
        labels += chosen
    empty = [key for key in classes if key not in set(labels)]
    note = f"columns without an image are no classes: {', '.join(empty)}"
    return labels, (note,) if empty else ()
