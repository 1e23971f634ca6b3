"""Images in folders, one folder per class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ltnas.data.listing import EncodedImages, Listing, of_files
from ltnas.data.sources.litter import files_below, is_litter, notes_on_litter
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
"""Endings of image files; other files are ignored."""
VALIDATION = ("val", "valid", "validation")
"""Names of the folder of validation images."""

ClassFiles = dict[str, list[Path]]
"""Image files of each class by the name of the class, both in sorted order."""


def list_folder(root: str) -> Listing:
    """List the images of `root/train/CLASS`, `root/val/CLASS`, `root/test/CLASS`, or `root/CLASS`.

    Of `val` and `test` one is enough. Other folders beside those of the splits, hidden files and
    those of operating systems are left out.

    Args:
        root: folder of the images.

    Raises:
        UserError: the folder is missing or empty, there are two folders for validation, `train` and
            `test` have different classes, or a class has no image.
    """
    folder = expanded("data.root", root)
    if not folder.is_dir():
        raise UserError(f"data.root={folder} is not a folder: set the one with a folder per class")
    folders = _split_folders(folder)
    litter: list[Path] = []
    parts = {name: _class_files(path, litter) for name, path in folders.items()}
    for name, part in parts.items():
        # Images that are not tested on may lack a class.
        spare = parts["train"] if name == "validation" and "test" in parts else {}
        _check_same_classes(folders["train"], folders[name], parts["train"], {**spare, **part})
    classes = tuple(parts["train"])
    splits = {name: _images(part, classes) for name, part in parts.items()}
    files = [file for part in parts.values() for paths in part.values() for file in paths]
    notes = (*_notes_on_others(folder, folders), *notes_on_litter(litter))
    return Listing(classes, splits, files, notes)


def _split_folders(folder: Path) -> dict[str, Path]:
    """Return the folder of each split; if the folder has none, all images are for training.

    Raises:
        UserError: there are several folders for validation.
    """
    names = [child.name for child in _children(folder)]
    validation = [name for name in VALIDATION if name in names]
    # Beside `train`, folders with such names are parts of a data set if they hold folders, too.
    # Folders of mere images may be classes, of trains for example.
    nested = [name for name in validation if _children(folder / name)]
    whole = "test" in names or set(names) <= {"train", *VALIDATION}
    if "train" not in names or not (whole or (nested and _children(folder / "train"))):
        return {"train": folder}
    if len(validation) > 1:
        raise UserError(
            f"{folder} has {' and '.join(validation)}, two folders of images for validation: "
            "remove or rename one"
        )
    named = ["train", *validation, *(["test"] if "test" in names else [])]
    return {_split(name): folder / name for name in named}


def _split(name: str) -> str:
    """Return the split of a folder."""
    return "validation" if name in VALIDATION else name


def _notes_on_others(folder: Path, folders: Mapping[str, Path]) -> tuple[str, ...]:
    """Return the note that folders beside those of the splits were left out, if there are any."""
    if folders["train"] == folder:
        return ()
    others = [child.name for child in _children(folder) if child not in folders.values()]
    listed = ", ".join(others[:3]) + (", ..." if others[3:] else "")
    beside = ", ".join(path.name for path in folders.values())
    return (f"folders beside {beside} were left out: {listed}",) if others else ()


def _children(folder: Path) -> list[Path]:
    """Return the folders in a folder in sorted order, without hidden ones."""
    children = sorted(folder.iterdir())
    return [child for child in children if child.is_dir() and not is_litter(child.name)]


def _class_files(folder: Path, litter: list[Path]) -> ClassFiles:
    """Return the image files of each class folder below `folder`.

    Args:
        folder: folder of a split.
        litter: list to which the files that are left out are appended.

    Raises:
        UserError: there is no class, or a class has no image.
    """
    classes: ClassFiles = {}
    for child in sorted(folder.iterdir()):
        kept, left_out = files_below(child) if child.is_dir() else ([], [child])
        if not is_litter(child.name):
            if child.is_dir():
                classes[child.name] = [path for path in kept if path.suffix.lower() in SUFFIXES]
                litter.extend(left_out)
        else:
            litter.extend(kept + left_out)
    if not classes:
        raise UserError(f"{folder} contains no folders: it needs one folder of images per class")
    for name, files in classes.items():
        if not files:
            raise UserError(f"{folder / name} contains no image: add images or remove the folder")
    return classes


def _check_same_classes(train: Path, other: Path, classes: ClassFiles, others: ClassFiles) -> None:
    """Raise `UserError` if the folders of two splits have different classes."""
    different = sorted(set(classes) ^ set(others))
    if different:
        present, absent = (train, other) if different[0] in classes else (other, train)
        raise UserError(
            f"class {different[0]} is in {present} but not in {absent}: add it there or remove it"
        )


def _images(files_of: ClassFiles, classes: tuple[str, ...]) -> EncodedImages:
    files = [file for paths in files_of.values() for file in paths]
    number_of = {name: number for number, name in enumerate(classes)}
    labels = [number_of[name] for name, paths in files_of.items() for _ in paths]
    return of_files(files, labels)
