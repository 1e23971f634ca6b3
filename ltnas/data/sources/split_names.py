"""Names under which data sets keep their training, validation and test images."""

from __future__ import annotations

import re

NAMES = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""Split of each usual name."""
WORD = re.compile(rf"(?<![a-z])({'|'.join(NAMES)})\d*(?![a-z0-9])")
"""One of the names as a word of a longer name, perhaps with a year behind it."""
PARTIAL = re.compile(r"(?<![a-z])partial(?![a-z])")
"""Word of a name that says that a file is not the whole split."""


def split_of(name: str) -> str | None:
    """Return the split that a name such as `train-00000-of-00002` or `val2018` stands for.

    The first word decides; None if no word of the name is that of a split.
    """
    match = WORD.search(name.lower().replace("_", "-"))
    return None if match is None else NAMES[match[1]]


def is_partial(name: str) -> bool:
    """Return True for names such as `partial-train`.

    The hub gives them to its conversions of splits above 5 GB, and converts only their beginning.
    """
    return bool(PARTIAL.search(name.lower()))
