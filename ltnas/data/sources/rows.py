"""Images and labels that a list names, whatever the format of the list is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ltnas.errors import UserError


class Row(NamedTuple):
    """One image of a list.

    Args:
        name: name of the file.
        label: label of the image.
        split: split that the list says the image belongs to; None if it does not say.
    """

    name: str
    label: str
    split: str | None = None


@dataclass(frozen=True)
class Rows:
    """Content of a list.

    Args:
        rows: images in the order of the list; none if the list has no labels.
        names: names of the classes by their labels, where they differ from them.
        notes: sentences for the user about how the list was read.
    """

    rows: Sequence[Row]
    names: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_text(file: Path) -> str:
    """Return the content of a list; a byte order mark at its beginning is left out.

    Raises:
        UserError: the file cannot be read or is no text.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"list {file} cannot be read ({reason}): give a text file") from error


def text_rows(file: Path) -> Rows:
    """Read lines of a path and a label, as those of ImageNet-LT and Places-LT (Liu et al. 2019).

    Raises:
        UserError: a line has no label.
    """
    rows = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        # Paths may contain spaces.
        words = line.strip().rsplit(maxsplit=1)
        if len(words) < 2:
            words = line.strip().rsplit(",", maxsplit=1)
        if len(words) < 2:
            raise UserError(
                f"line {number} of {file} is {line.strip()!r}: it must be a path and a label with "
                "a space between them"
            )
        rows.append(Row(words[0].removesuffix(",").rstrip(), words[1].strip()))
    return Rows(rows)
