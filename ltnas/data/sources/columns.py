"""Choice of the columns of images and labels of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ltnas.data.sources.tables import listed, named_classes
from ltnas.errors import UserError

IMAGES = ("img", "image")
"""Usual names of the column of images, which may have any other."""
LABELS = ("label", "fine_label")
"""Names of the column of labels, where the types of the columns do not tell it."""


class Columns(NamedTuple):
    """Columns that are read.

    Args:
        image: name of the column of images.
        label: name of the column of labels.
        others: other columns that might be those of labels.
    """

    image: str
    label: str
    others: tuple[str, ...]


def chosen_columns(file: Path, schema: Any, wanted: str | None) -> Columns:  # noqa: ANN401
    """Return the columns of images and labels.

    Labels are in the column that the user wants; else in the only one of type ClassLabel; else in
    the one that is called `label`, or else `fine_label`.

    Args:
        file: path of the table, for messages.
        schema: columns of the table.
        wanted: name of the column of labels; None if the user does not say.

    Raises:
        UserError: there is no column of images, or it cannot be told which one has the labels.
    """
    images = [field.name for field in schema if _is_image(field.type)]
    labels = [field.name for field in schema if _is_label(field.type)]
    if not images or not labels or (wanted is not None and wanted not in labels):
        label = "one of labels" if wanted is None else f"{wanted} (data.label)"
        raise UserError(
            f"{file} has the columns {listed(schema)}: it needs one of images, a struct with the "
            f"bytes of an encoded image, and {label}, integers or texts"
        )
    image = next((name for name in IMAGES if name in images), images[0])
    named = [name for name in named_classes(schema) if name in labels]
    usual = [name for name in LABELS if name in (named or labels)]
    choices = [wanted] if wanted is not None else named if len(named) == 1 else usual
    if not choices:
        raise UserError(
            f"{file} has the columns {listed(schema)}: it cannot be told which one has the labels; "
            f"add for example data.label={(named or labels)[0]}"
        )
    numbers = named or [field.name for field in schema if _is_number(field.type)]
    others = tuple(name for name in numbers if name != choices[0] and wanted is None)
    return Columns(image, choices[0], others)


def check_columns(file: Path, schema: Any, chosen: Columns, first: Any) -> None:  # noqa: ANN401
    """Raise `UserError` unless a table has the chosen columns, with types as in another table.

    Args:
        file: path of the table, for the message.
        schema: columns of the table.
        chosen: columns of images and labels.
        first: columns of the table in which they were chosen.
    """
    kinds = {field.name: field.type for field in schema}
    label = kinds.get(chosen.label)
    is_same = label is not None and _is_number(label) == _is_number(first.field(chosen.label).type)
    if not is_same or not _is_label(label) or not _is_image(kinds.get(chosen.image, label)):
        raise UserError(
            f"{file} has the columns {listed(schema)}: it needs those of the training images, "
            f"{chosen.image} (a struct with the bytes of an encoded image) and {chosen.label} "
            f"({first.field(chosen.label).type})"
        )


def _is_image(kind: Any) -> bool:  # noqa: ANN401
    import pyarrow

    return bool(pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def _is_label(kind: Any) -> bool:  # noqa: ANN401
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(kind):
        return _is_label(kind.value_type)
    is_text = types.is_string(kind) or types.is_large_string(kind)
    return bool(is_text or types.is_boolean(kind) or _is_number(kind))


def _is_number(kind: Any) -> bool:  # noqa: ANN401
    import pyarrow

    return bool(pyarrow.types.is_integer(kind))
