"""Paths as users write them, and the folder in which what can be built again is kept."""

from __future__ import annotations

import os
from pathlib import Path

from ltnas.errors import UserError


def expanded(key: str, path: str | Path) -> Path:
    """Return the path of a setting with ~ or ~USER at its beginning replaced by the home folder.

    Args:
        key: name of the setting, for the message.
        path: path as the user has written it.

    Raises:
        UserError: there is no such user, or the user has no home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"{key}={path}: the home folder of {Path(path).parts[0]} is not known: write the "
            "path without ~"
        ) from error


def output_file(key: str, path: str | Path) -> Path:
    """Return the path of a file to write, whose folder is made if necessary.

    Args:
        key: name of the setting, for the message.
        path: path as the user has written it.

    Raises:
        UserError: the path is a folder, or its folder cannot be made.
    """
    file = expanded(key, path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        is_folder = file.is_dir()
    except (OSError, ValueError) as error:  # ValueError: no name of a file
        raise UserError(f"{key}={path} cannot be written ({error}): choose another file") from error
    if is_folder:
        raise UserError(f"{key}={path} is a folder: write {key}=FOLDER/FILE")
    return file


def cache_folder(folder: str | None) -> Path:
    """Return the given folder, or for None `ltnas` in the user's cache folder."""
    if folder is not None:
        return expanded("data.cache", folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ltnas"
