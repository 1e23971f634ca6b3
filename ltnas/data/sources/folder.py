"""Images in folders, one folder per class."""

from __future__ import annotations

from pathlib import Path

import torch

from ltnas.data.cache import cached, files_key
from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources.decode import Opener, decode
from ltnas.data.sources.digits import every_fifth
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
"""Endings of image files; other files are ignored."""

ClassFiles = dict[str, list[Path]]
"""Image files of each class by the name of the class, both in sorted order."""


def load_folder(root: str, size: int | None, cache: Path) -> Source:
    """Load images from `root/train/CLASS` and `root/test/CLASS`, or from `root/CLASS`.

    Without the folders `train` and `test`, every fifth image of a class, in the order of names, is
    a test image.

    Args:
        root: folder of the images.
        size: side in pixels that images are scaled to; None keeps their size.
        cache: cache folder of the user.

    Raises:
        UserError: the folder is missing or empty, `train` and `test` have different classes, a
            class has no image, or an image is broken.
    """
    folder = expanded("data.root", root)
    if not folder.is_dir():
        raise UserError(f"data.root={folder} is not a folder: set the one with a folder per class")
    is_split = (folder / "train").is_dir() and (folder / "test").is_dir()
    train = _class_files(folder / "train" if is_split else folder)
    # `train` and `val` without `test` are parts of a data set rather than two classes.
    if not is_split and "train" in train and set(train) <= {"train", "val", "valid", "validation"}:
        raise UserError(
            f"{folder} has a folder `train` but no `test`: rename the folder of test images to "
            "`test`"
        )
    test = _class_files(folder / "test") if is_split else {}
    if is_split:
        _check_same_classes(folder, train, test)
    files = [file for part in (train, test) for paths in part.values() for file in paths]
    key = files_key(files, size=size)
    return cached(cache, "folder", key, lambda: _load(train, test, size))


def _class_files(folder: Path) -> ClassFiles:
    """Return the image files of each class folder below `folder`."""
    classes = {
        child.name: sorted(file for file in child.rglob("*") if file.suffix.lower() in SUFFIXES)
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith(".")
    }
    if not classes:
        raise UserError(f"{folder} contains no folders: it needs one folder of images per class")
    for name, files in classes.items():
        if not files:
            raise UserError(f"{folder / name} contains no image: add images or remove the folder")
    return classes


def _check_same_classes(folder: Path, train: ClassFiles, test: ClassFiles) -> None:
    """Raise `UserError` if `train` and `test` have different classes."""
    if list(train) == list(test):
        return
    name = sorted(set(train) ^ set(test))[0]
    present, absent = ("train", "test") if name in train else ("test", "train")
    raise UserError(
        f"class {name} is in {folder / present} but not in {folder / absent}: add it there or "
        "remove it"
    )


def _load(train: ClassFiles, test: ClassFiles, size: int | None) -> Source:
    """Decode all images; without test files, hold out every fifth training image."""
    images = _decode(train, size)
    names = tuple(train)
    if test:
        return Source(images, _decode(test, size), names)
    mask = every_fifth(images.labels)
    kept, held_out = (
        LabelledImages(images.images[part], images.labels[part]) for part in (~mask, mask)
    )
    return Source(kept, held_out, names)


def _decode(classes: ClassFiles, size: int | None) -> LabelledImages:
    items: list[tuple[str, Opener]] = []
    labels: list[int] = []
    for number, files in enumerate(classes.values()):
        items.extend((str(file), file.__str__) for file in files)
        labels.extend([number] * len(files))
    return LabelledImages(decode(items, size), torch.tensor(labels))
