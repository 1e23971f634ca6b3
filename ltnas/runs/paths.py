"""Paths among the settings of a run: absolute for comparisons, and the content of a genotype."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ltnas.space.genotype import FILE, is_published, without_file

PATHS = (
    *(f"data.{key}" for key in ("root", "train", "test", "images", "indices")),
    *(f"second_data.{key}" for key in ("root", "train", "test", "images", "indices")),
    "genotype",
)
"""Keys of settings that are paths, and decide the result by what they lead to."""


def resolved(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with absolute paths, the same for all ways to write a path."""
    return {
        key: (_genotype(value) if key == "genotype" else absolute(value))
        if key in PATHS and isinstance(value, str)
        else value
        for key, value in settings.items()
    }


def absolute(path: str) -> str:
    """Return an absolute path without links; a text that can be no path stays as it is."""
    try:
        return str(Path(path).expanduser().resolve())
    # RuntimeError: ~ of an unknown user, or a circle of links. ValueError: an invalid file name.
    except (OSError, RuntimeError, ValueError):
        return path


def _genotype(where: str) -> str:
    """Return the run folder or the file of a genotype as an absolute path; names stay names."""
    if where == "" or is_published(where):
        return where.lower()
    return str(without_file(Path(absolute(where))))


def genotype_checksum(where: str) -> str | None:
    """Return a checksum of the name and the genotype of a run folder; None if it has none.

    The name distinguishes searches that selected the same genotype.
    """
    path = Path(where)
    if not path.is_absolute():  # a published name, or no genotype
        return None
    try:
        content = (path / FILE if path.is_dir() else path).read_bytes()
    except (OSError, ValueError):
        return None
    return hashlib.sha256(path.name.encode(errors="surrogateescape") + b"\0" + content).hexdigest()
