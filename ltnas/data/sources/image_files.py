"""Image files by the names that lists and tables give them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ltnas.data.sources.folder import SUFFIXES
from ltnas.data.sources.litter import files_below
from ltnas.errors import UserError


class ImageFiles:
    """Image files below a folder.

    Args:
        folder: folder of the images.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> Path | None:
        """Return the file of a name, or None if there is none.

        A name is a path from the folder; if there is no such file, the last part of a path, with or
        without its ending, at any depth.

        Raises:
            UserError: there are several files of this name.
        """
        found = self._candidates(name)
        if len(found) > 1:
            raise UserError(
                f"{name} may be {found[0]} or {found[1]}: set data.images to the folder of one"
            )
        return found[0] if found else None

    def has(self, name: str) -> bool:
        """Return True if there is at least one file of a name."""
        return bool(self._candidates(name))

    def _candidates(self, name: str) -> list[Path]:
        """Return the files that a name may stand for."""
        path = Path(name)
        if path.suffix.lower() in SUFFIXES:
            # Places-LT writes paths from the folder with a slash at their beginning.
            for file in (self.folder / name.lstrip("/\\"), path):
                if file.is_file() and (file is not path or path.is_absolute()):
                    return [file]
        # A dot may belong to a name without an ending.
        return self._by_name.get(path.name) or self._by_name.get(path.stem) or []

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Files below the folder by their names, and by their names without the ending."""
        files: dict[str, list[Path]] = {}
        for file in files_below(self.folder)[0]:
            if file.suffix.lower() in SUFFIXES:
                files.setdefault(file.name, []).append(file)
                files.setdefault(file.stem, []).append(file)
        return files
