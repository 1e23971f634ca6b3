"""Files between images that operating systems and notebooks leave behind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

NAMES = {"__macosx", "thumbs.db", "desktop.ini"}
"""Names of files and folders in lower case; hidden ones belong to them, too."""


def is_litter(name: str) -> bool:
    """Return True for the name of a hidden file or folder, or of one that a system has made.

    Hidden names include `._0.png`, a file of macOS that has the ending of an image and is none.
    """
    return name.startswith(".") or name.lower() in NAMES


def files_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files below a folder, and apart from them those that are litter, both sorted."""
    kept: list[Path] = []
    litter: list[Path] = []
    for at, folders, names in os.walk(folder):
        # Everything below a folder that is litter is litter.
        inside = any(is_litter(part) for part in Path(at).relative_to(folder).parts)
        folders.sort()
        for name in names:
            (litter if inside or is_litter(name) else kept).append(Path(at, name))
    return sorted(kept), sorted(litter)


def notes_on_litter(files: Sequence[Path]) -> tuple[str, ...]:
    """Return the note that files were left out, if there are any."""
    if not files:
        return ()
    names = sorted({file.name for file in files})
    listed = ", ".join(names[:3]) + (", ..." if names[3:] else "")
    count = (
        "1 hidden or system file was"
        if len(files) == 1
        else (f"{len(files):,} hidden or system files were")
    )
    return (f"{count} left out: {listed}",)
