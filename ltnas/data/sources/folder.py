"""A folder with one folder of images for each class."""

from __future__ import annotations

from pathlib import Path

import torch

from ltnas.data.cache import cached, files_key
from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources.decode import Opener, decode
from ltnas.data.sources.digits import every_fifth
from ltnas.errors import UserError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}


def load_folder(root: str, size: int | None, cache: Path) -> Source:
    """Images of `root/train/CLASS` and `root/test/CLASS`, or of `root/CLASS`.

    Without a test folder every fifth image of a class, by name, is a test image.

    Raises:
        UserError: the folder is missing or empty, a class has no image, an image is broken.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"data.root={folder} is no folder: give the one with a folder per class")
    split = (folder / "train").is_dir() and (folder / "test").is_dir()
    train = _classes(folder / "train" if split else folder)
    if not split and "train" in train and set(train) <= {"train", "val", "valid", "validation"}:
        raise UserError(f"{folder} has train but no test: call the folder of test images test")
    test = _classes(folder / "test") if split else {}
    if split and list(train) != list(test):
        odd = sorted(set(train) ^ set(test))[0]
        has, lacks = ("train", "test") if odd in train else ("test", "train")
        raise UserError(
            f"class {odd} is in {folder / has} but not in {folder / lacks}: add it there or take "
            "it away"
        )
    files = [file for part in (train, test) for paths in part.values() for file in paths]
    key = files_key(files, size=size)
    return cached(cache, "folder", key, lambda: _load(train, test, size))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Image files of each class folder, in the order of names."""
    classes = {
        child.name: sorted(file for file in child.rglob("*") if file.suffix.lower() in SUFFIXES)
        for child in sorted(folder.iterdir())
        if child.is_dir() and not child.name.startswith(".")
    }
    if not classes:
        raise UserError(f"{folder} has no folders in it: it needs one folder of images per class")
    for name, files in classes.items():
        if not files:
            raise UserError(f"{folder / name} has no image: fill it or take it away")
    return classes


def _load(train: dict[str, list[Path]], test: dict[str, list[Path]], size: int | None) -> Source:
    images = _decode(train, size)
    names = tuple(train)
    if test:
        return Source(images, _decode(test, size), names)
    mask = every_fifth(images.labels)
    kept, held_out = (
        LabelledImages(images.images[part], images.labels[part]) for part in (~mask, mask)
    )
    return Source(kept, held_out, names)


def _decode(classes: dict[str, list[Path]], size: int | None) -> LabelledImages:
    items: list[tuple[str, Opener]] = []
    labels: list[int] = []
    for number, files in enumerate(classes.values()):
        items.extend((str(file), file.__str__) for file in files)
        labels.extend([number] * len(files))
    return LabelledImages(decode(items, size), torch.tensor(labels))
