"""Folder in which decoded images and built kernels are kept."""

from __future__ import annotations

import os
from pathlib import Path

from ltnas.runs.user_paths import expanded


def cache_folder(folder: str | None) -> Path:
    """Return the given folder, or for None `ltnas` in the user's cache folder."""
    if folder is not None:
        return expanded("data.cache", folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ltnas"
