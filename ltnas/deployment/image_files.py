"""Image files that a user names: files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from ltnas.config import require
from ltnas.data.sources.folder import SUFFIXES
from ltnas.data.sources.litter import is_litter
from ltnas.runs.user_paths import expanded


def image_files(names: Sequence[str]) -> list[str]:
    """Return the paths of the image files that are named, each once, in the order of the names.

    Args:
        names: files, which are taken whatever their ending is, folders, of which all files with an
            ending of images are taken, and patterns such as `photos/*.jpg`.

    Raises:
        UserError: there is no such file, or a folder holds no image.
    """
    found = [path for name in names for path in _files_of(str(expanded("images", name)))]
    return list(dict.fromkeys(found))


def _files_of(name: str) -> list[str]:
    """Return the files of one name."""
    if os.path.isdir(name):
        inside = _images_below(Path(name))
        require(inside != [], f"images={name} holds no image: give a folder of image files")
        return inside
    if os.path.exists(name) or not glob.has_magic(name):
        require(os.path.exists(name), f"images={name} does not exist: give files or folders")
        return [name]
    matches = sorted(glob.glob(name, recursive=True))
    require(matches != [], f"images={name} fits no file: give files or folders")
    return [path for match in matches for path in _files_of(match)]


def _images_below(folder: Path) -> list[str]:
    """Return the images in a folder and its subfolders, sorted by their paths."""
    inside = folder.rglob("*")
    files = (file for file in inside if file.suffix.lower() in SUFFIXES and file.is_file())
    return [
        str(file)
        for file in sorted(files)
        if not any(is_litter(part) for part in file.relative_to(folder).parts)
    ]
