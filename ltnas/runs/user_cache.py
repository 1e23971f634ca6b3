"""Folder in which decoded images and built kernels are kept."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(folder: str | None) -> Path:
    """Return the given folder, or for None `ltnas` in the user's cache folder."""
    if folder is not None:
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ltnas"
