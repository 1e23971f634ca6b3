"""CIFAR-10 as on the Hugging Face hub: Parquet files with encoded images."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ltnas.data.cache import cached, files_key
from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources.decode import Opener, decode
from ltnas.errors import UserError

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def load_parquet(root: str, size: int | None, cache: Path) -> Source:
    """Load images from `root/train-*.parquet` and `root/test-*.parquet`.

    The files need a column `img` or `image`, a struct whose field `bytes` is an encoded image, and
    a column `label`, an integer.

    Args:
        root: folder of the Parquet files.
        size: side in pixels that images are scaled to; None keeps their size.
        cache: cache folder of the user.

    Raises:
        UserError: the folder or a file is missing, truncated, or of another layout.
    """
    folder = Path(root).expanduser()
    train, test = (_files(folder, part) for part in ("train", "test"))
    key = files_key([*train, *test], size=size)
    return cached(cache, "parquet", key, lambda: _load(train, test, size))


def _files(folder: Path, part: str) -> list[Path]:
    """Return the sorted files of one part, `train` or `test`."""
    if not folder.is_dir():
        raise UserError(f"data.root={folder} is not a folder: set the one with train-*.parquet")
    files = sorted(folder.glob(f"{part}-*.parquet"))
    if not files:
        raise UserError(f"data.root={folder} has no {part}-*.parquet: set the folder that has it")
    return files


def _load(train: list[Path], test: list[Path], size: int | None) -> Source:
    # All files are read and checked before the first image is decoded.
    tables = {file: _read(file) for file in (*train, *test)}
    names = _class_names(tables[train[0]])
    train_images, test_images = (
        _images({file: tables[file] for file in files}, size) for files in (train, test)
    )
    classes = int(max(part.labels.max() for part in (train_images, test_images))) + 1
    # Names that do not match the labels, such as CIFAR-10's for other data, are not used.
    if len(names) != classes:
        names = tuple(str(number) for number in range(classes))
    return Source(train_images, test_images, names)


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


def _images(tables: dict[Path, Any], size: int | None) -> LabelledImages:
    """Decode the images of some files, in the order of files and rows."""
    items: list[tuple[str, Opener]] = []
    labels: list[int] = []
    for file, table in tables.items():
        column = "img" if "img" in table.column_names else "image"
        for row, image in enumerate(table.column(column).to_pylist()):
            # An image without bytes, such as a mere path, fails in decoding with its name.
            encoded = (image or {}).get("bytes") or b""
            items.append((f"{file} row {row}", partial(io.BytesIO, encoded)))
        for row, label in enumerate(table.column("label").to_pylist()):
            if label is None or label < 0:
                raise UserError(
                    f"{file} row {row} has the label {label}, which is not a class number: use a "
                    "file with labels"
                )
            labels.append(label)
    if not items:
        raise UserError(f"{next(iter(tables))} has no rows: download it again")
    return LabelledImages(decode(items, size), torch.tensor(labels, dtype=torch.int64))


def _class_names(table: Any) -> tuple[str, ...]:  # noqa: ANN401 - pyarrow has no types
    """Return the names that the hub stores in the schema, or else those of CIFAR-10."""
    try:
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        return tuple(features["label"]["names"])
    except (KeyError, TypeError, ValueError):
        return CIFAR10_CLASSES
