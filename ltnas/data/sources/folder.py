"""Images in folders, one folder per class."""

from __future__ import annotations

from pathlib import Path

from ltnas.data.listing import EncodedImages, Listing, of_files
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
"""Endings of image files; other files are ignored."""

ClassFiles = dict[str, list[Path]]
"""Image files of each class by the name of the class, both in sorted order."""


def list_folder(root: str) -> Listing:
    """List the images of `root/train/CLASS` and `root/test/CLASS`, or of `root/CLASS`.

    Args:
        root: folder of the images.

    Raises:
        UserError: the folder is missing or empty, `train` and `test` have different classes, or a
            class has no image.
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
    splits = {"train": train}
    if is_split:
        splits["test"] = _class_files(folder / "test")
        _check_same_classes(folder, train, splits["test"])
    files = [file for part in splits.values() for paths in part.values() for file in paths]
    return Listing(tuple(train), {name: _images(part) for name, part in splits.items()}, files)


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


def _images(classes: ClassFiles) -> EncodedImages:
    files = [file for paths in classes.values() for file in paths]
    labels = [number for number, paths in enumerate(classes.values()) for _ in paths]
    return of_files(files, labels)
