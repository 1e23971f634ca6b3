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

        A name is a path from the folder. If there is no such file, it is the end of a path, with or
        without the ending of the file. If a name contains folders, at least the last of them must
        be the folder of the file: `cat/1.png` is never `dog/1.png`.

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
        found = self._by_name.get(path.name) or self._by_name.get(path.stem) or []
        folders = path.parent.relative_to(path.anchor).parts
        return self._closest(found, folders) if folders else found

    def _closest(self, files: list[Path], folders: tuple[str, ...]) -> list[Path]:
        """Return the files whose last folders agree best with those of a name, if any agree."""
        agreeing = [_agreeing(file.relative_to(self.folder).parts[:-1], folders) for file in files]
        best = max(agreeing, default=0)
        return [file for file, n in zip(files, agreeing, strict=True) if n == best > 0]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Files below the folder by their names, and by their names without the ending."""
        files: dict[str, list[Path]] = {}
        for file in files_below(self.folder)[0]:
            if file.suffix.lower() in SUFFIXES:
                files.setdefault(file.name, []).append(file)
                files.setdefault(file.stem, []).append(file)
        return files


def _agreeing(folders: tuple[str, ...], others: tuple[str, ...]) -> int:
    """Return the number of folders at the end of two paths that agree."""
    pairs = list(zip(reversed(folders), reversed(others), strict=False))
    return next((n for n, (one, other) in enumerate(pairs) if one != other), len(pairs))
