"""Files that the classification data sets of torchvision read their images from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SAMPLES = ("_samples", "samples", "imgs", "_image_files", "_images")
"""Attributes with a path of each image, or pairs of a path and a label."""
FOLDERS = ("_base_folder", "raw_folder", "base_folder")
"""Attributes with the folder of the data set; a relative one begins in `root`."""
FILES = ("filename", "file_name")
"""Attributes with the name of the only file in `root`."""


def files_of(part: Any, folder: Path) -> list[Path]:  # noqa: ANN401 - has no types
    """Return the files of a split: those of its images, or else all below the data set's folder.

    Args:
        part: one split of a data set of torchvision.
        folder: folder that its class was given, which several data sets may share.
    """
    return _samples(part) or _below(part, folder)


def _samples(part: Any) -> list[Path]:  # noqa: ANN401
    """Return the files of the images; none if the class does not know them one by one."""
    for attribute in SAMPLES:
        samples = getattr(part, attribute, None) or []
        paths = [Path(item[0] if isinstance(item, tuple) else item) for item in samples]
        if paths and all(path.is_file() for path in paths):
            return paths
    return []


def _below(part: Any, folder: Path) -> list[Path]:  # noqa: ANN401
    """Return the files of the data set, or those directly in a folder that it may share."""
    root = Path(getattr(part, "root", folder))
    for attribute in FILES:
        if (file := root / str(getattr(part, attribute, ""))).is_file():
            return [file]
    named = [path for name in FOLDERS if (path := getattr(part, name, None))]
    inside = [at for path in named for at in (root / path, Path(path)) if at.is_dir()]
    own = next(iter(inside), root)
    return sorted(path for path in own.glob("*" if own == folder else "**/*") if path.is_file())
