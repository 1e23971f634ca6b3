"""CIFAR-10 as on the Hugging Face hub: Parquet files with encoded images."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ltnas.data.cache import cached, files_key
from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources.decode import Opener, decode
from ltnas.data.sources.shards import check_shards
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
Tables = dict[Path, Any]
"""Tables of Parquet files by their paths; pyarrow has no types."""


def load_parquet(root: str, size: int | None, cache: Path) -> Source:
    """Load images from `root/train-*.parquet` and `root/test-*.parquet`.

    The files need a column `img` or `image`, a struct whose field `bytes` is an encoded image, and
    a column `label`, an integer.

    Args:
        root: folder of the Parquet files.
        size: side in pixels that images are scaled to; None keeps their size.
        cache: cache folder of the user.

    Raises:
        UserError: the folder or a file is missing, truncated, or of another layout, or labels and
            class names contradict one another.
    """
    folder = expanded("data.root", root)
    train, test = (_files(folder, part) for part in ("train", "test"))
    # The value of `names` changes with the rule by which classes get their names.
    key = files_key([*train, *test], size=size, names="schema")
    return cached(cache, "parquet", key, lambda: _load(train, test, size))


def _files(folder: Path, part: str) -> list[Path]:
    """Return the sorted files of one part, `train` or `test`."""
    if not folder.is_dir():
        raise UserError(f"data.root={folder} is not a folder: set the one with train-*.parquet")
    files = sorted(folder.glob(f"{part}-*.parquet"))
    if not files:
        raise UserError(f"data.root={folder} has no {part}-*.parquet: set the folder that has it")
    check_shards(files)
    return files


def _load(train: list[Path], test: list[Path], size: int | None) -> Source:
    # All files are read and checked before the first image is decoded.
    tables = {file: _read(file) for file in (*train, *test)}
    parts = [{file: tables[file] for file in files} for files in (train, test)]
    labels = [_labels(part) for part in parts]
    classes = _class_names(tables, 1 + max(max(part) for part in labels))
    train_images, test_images = (
        LabelledImages(_images(part, size), torch.tensor(numbers, dtype=torch.int64))
        for part, numbers in zip(parts, labels, strict=True)
    )
    return Source(train_images, test_images, classes)


def _read(file: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the table of a file after checking its columns."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{file} cannot be read as Parquet ({reason}): it may be truncated; download it again"
        ) from error
    types = {field.name: field.type for field in table.schema}
    image = types.get("img", types.get("image", pyarrow.null()))
    has_bytes = pyarrow.types.is_struct(image) and image.get_field_index("bytes") >= 0
    if not has_bytes or not pyarrow.types.is_integer(types.get("label", pyarrow.null())):
        columns = ", ".join(f"{name} ({kind})" for name, kind in types.items())
        raise UserError(
            f"{file} has the columns {columns}: it needs img (or image), a struct with the bytes "
            "of an encoded image, and label, an integer"
        )
    return table


def _labels(tables: Tables) -> list[int]:
    """Return the class numbers of the images of some files, in the order of files and rows."""
    labels: list[int] = []
    for file, table in tables.items():
        for row, label in enumerate(table.column("label").to_pylist()):
            if label is None or label < 0:
                raise UserError(
                    f"{file} row {row} has the label {label}, which is not a class number: use a "
                    "file with labels"
                )
            labels.append(label)
    if not labels:
        raise UserError(f"{next(iter(tables))} has no rows: download it again")
    return labels


def _images(tables: Tables, size: int | None) -> Tensor:
    """Decode the images of some files, in the order of files and rows, uint8 [N, 3, H, W]."""
    items: list[tuple[str, Opener]] = []
    for file, table in tables.items():
        column = "img" if "img" in table.column_names else "image"
        for row, image in enumerate(table.column(column).to_pylist()):
            # An image without bytes, such as a mere path, fails in decoding with its name.
            encoded = (image or {}).get("bytes") or b""
            items.append((f"{file} row {row}", partial(io.BytesIO, encoded)))
    return decode(items, size)


def _class_names(tables: Tables, classes: int) -> tuple[str, ...]:
    """Return the names that the schema of the files gives to the classes.

    Without names in the schema, ten classes are called as those of CIFAR-10, and other numbers of
    classes by their numbers.

    Args:
        tables: tables of all files by their paths.
        classes: largest label plus one; a schema may have more names, for classes without images.

    Raises:
        UserError: files have different names, or there are labels without a name.
    """
    schemas = {file: names for file, table in tables.items() if (names := _schema_names(table))}
    if not schemas:
        numbers = tuple(str(number) for number in range(classes))
        return CIFAR10_CLASSES if classes == len(CIFAR10_CLASSES) else numbers
    (file, names), *others = schemas.items()
    for other, other_names in others:
        if other_names != names:
            raise UserError(
                f"{file} and {other} have different class names in their schemas: use files of "
                "one data set"
            )
    if classes > len(names):
        raise UserError(
            f"{file} names {len(names)} classes in its schema, but there are labels up to "
            f"{classes - 1}: labels are numbered from 0; add the names that are missing, or "
            "correct the labels"
        )
    return names


def _schema_names(table: Any) -> tuple[str, ...]:  # noqa: ANN401 - pyarrow has no types
    """Return the class names in the schema of a file, as the hub stores them; else ()."""
    try:
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features["label"]["names"])
    except (KeyError, TypeError, ValueError):
        return ()
