"""Images and labels in one .npz file, as MedMNIST has them (Yang et al. 2023)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ltnas.data.listing import EncodedImage, EncodedImages, Listing
from ltnas.data.sources.labels import numbered
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded

PREFIXES = {"train": "train", "val": "validation", "test": "test"}
"""Split of the images by the first part of the names of arrays."""
READ_ERRORS = (OSError, ValueError, EOFError, zipfile.BadZipFile)
Array = np.ndarray[Any, Any]


def list_npz(root: str) -> Listing:
    """List the images of the arrays `train_images`, `train_labels`, `val_images`, ...

    Images are [N, H, W] or [N, H, W, 3] of 8 or 16 bits, labels [N] or [N, 1]. While its images are
    decoded, the array of one split is in memory.

    Args:
        root: the file, or a folder with one such file.

    Raises:
        UserError: the file is missing or damaged, arrays are missing or of another shape, or an
            image has several labels.
    """
    file = _file(expanded("data.root", root))
    try:
        with np.load(file) as arrays:
            names = set(arrays.files)
    except READ_ERRORS as error:
        raise _damaged(file, error) from error
    splits = {
        split: prefix
        for prefix, split in PREFIXES.items()
        if {f"{prefix}_images", f"{prefix}_labels"} <= names
    }
    if "train" not in splits:
        raise UserError(
            f"{file} has the arrays {', '.join(sorted(names))}: it needs train_images and "
            "train_labels"
        )
    texts = {split: _labels(file, f"{prefix}_labels") for split, prefix in splits.items()}
    classes, labels = numbered(texts)
    return Listing(
        classes,
        {
            split: EncodedImages(labels[split], partial(_images, file, prefix, len(labels[split])))
            for split, prefix in splits.items()
        },
        [file],
    )


def _file(path: Path) -> Path:
    """Return the file at a path, or the only .npz file in the folder at this path."""
    if not path.is_dir():
        return path
    files = sorted(path.glob("*.npz"))
    if len(files) != 1:
        found = ", ".join(file.name for file in files) or "none"
        raise UserError(f"data.root={path} needs one .npz file and has {found}: name the file")
    return files[0]


def _array(file: Path, name: str) -> Array:
    """Return one array; arrays of Python objects, which could run code, are refused."""
    try:
        with np.load(file) as arrays:
            array: Array = arrays[name]
    except READ_ERRORS as error:
        raise _damaged(file, error) from error
    return array


def _damaged(file: Path, error: Exception) -> UserError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"data.root={file} cannot be read as .npz file ({reason}): download it again")


def _labels(file: Path, name: str) -> list[str]:
    """Return the label of each image as text."""
    labels = _array(file, name)
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise UserError(
            f"{name} of {file} has {labels.shape[1]} labels for each image: such a multi-label "
            "data set (ChestMNIST) has no long tail of classes to search on; take one with a label "
            "for each image"
        )
    if labels.dtype.kind not in "iuUb" or labels.size != len(labels):
        raise UserError(
            f"{name} of {file} is {labels.dtype} {list(labels.shape)}: it must have a whole number "
            "or a text for each image"
        )
    return [str(label) for label in labels.reshape(-1).tolist()]


def _images(file: Path, prefix: str, count: int) -> Iterator[EncodedImage]:
    """Yield the images of one split."""
    name = f"{prefix}_images"
    pixels = _array(file, name)
    known = pixels.dtype in (np.uint8, np.uint16) and pixels.ndim in (3, 4)
    if not known or (pixels.ndim == 4 and (pixels.shape[3] != 3 or pixels.dtype != np.uint8)):
        raise UserError(
            f"{name} of {file} is {pixels.dtype} {list(pixels.shape)}: images must be uint8 "
            "[N, H, W] or [N, H, W, 3], or uint16 [N, H, W]"
        )
    if len(pixels) != count:
        raise UserError(f"{file} has {len(pixels)} {name} and {count} labels: download it again")
    for row in range(count):
        yield EncodedImage(f"{file} {name} row {row}", partial(Image.fromarray, pixels[row]))
