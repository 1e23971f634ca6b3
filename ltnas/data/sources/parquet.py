"""CIFAR-10 as on the Hugging Face hub: Parquet files with encoded images."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ltnas.data.listing import EncodedImage, EncodedImages, Listing
from ltnas.data.sources.shards import check_shards
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded

CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
Tables = dict[Path, Any]
"""Label columns and schemas of Parquet files by their paths; pyarrow has no types."""
ROWS = 256
"""Number of rows that are read from a file at a time."""


def list_parquet(root: str) -> Listing:
    """List the images of `root/train-*.parquet` and `root/test-*.parquet`.

    The files need a column `img` or `image`, a struct whose field `bytes` is an encoded image, and
    a column `label`, an integer.

    Args:
        root: folder of the Parquet files.

    Raises:
        UserError: the folder or a file is missing, truncated, or of another layout, or labels and
            class names contradict one another.
    """
    folder = expanded("data.root", root)
    files = {part: _files(folder, part) for part in ("train", "test")}
    # All files are checked before the first image is decoded.
    tables = {file: _read_labels(file) for part in files.values() for file in part}
    parts = {name: {file: tables[file] for file in part} for name, part in files.items()}
    labels = {name: _labels(part) for name, part in parts.items()}
    classes = _class_names(tables, 1 + max(max(part) for part in labels.values()))
    splits = {
        name: EncodedImages(labels[name], partial(_images, part)) for name, part in files.items()
    }
    return Listing(classes, splits, list(tables))


def _files(folder: Path, part: str) -> list[Path]:
    """Return the sorted files of one part, `train` or `test`."""
    if not folder.is_dir():
        raise UserError(f"data.root={folder} is not a folder: set the one with train-*.parquet")
    files = sorted(folder.glob(f"{part}-*.parquet"))
    if not files:
        raise UserError(f"data.root={folder} has no {part}-*.parquet: set the folder that has it")
    check_shards(files)
    return files


def _read_labels(file: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the table of the labels of a file, with its schema, after checking its columns."""
    import pyarrow
    import pyarrow.parquet

    with _readable(file):
        schema = pyarrow.parquet.read_schema(file)
    types = {field.name: field.type for field in schema}
    image = types.get("img", types.get("image", pyarrow.null()))
    has_bytes = pyarrow.types.is_struct(image) and image.get_field_index("bytes") >= 0
    if not has_bytes or not pyarrow.types.is_integer(types.get("label", pyarrow.null())):
        columns = ", ".join(f"{name} ({kind})" for name, kind in types.items())
        raise UserError(
            f"{file} has the columns {columns}: it needs img (or image), a struct with the bytes "
            "of an encoded image, and label, an integer"
        )
    with _readable(file):
        return pyarrow.parquet.read_table(file, columns=["label"])


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn errors of reading a Parquet file into a `UserError`."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{file} cannot be read as Parquet ({reason}): it may be truncated; download it again"
        ) from error


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


def _images(files: Sequence[Path]) -> Iterator[EncodedImage]:
    """Yield the images of some files, in the order of files and rows."""
    for file in files:
        for row, image in enumerate(_rows(file)):
            # An image without bytes, such as a mere path, fails in decoding with its name.
            encoded = (image or {}).get("bytes") or b""
            yield EncodedImage(f"{file} row {row}", partial(io.BytesIO, encoded))


def _rows(file: Path) -> Iterator[Any]:
    """Yield the image column of a file row by row."""
    import pyarrow.parquet

    with _readable(file), pyarrow.parquet.ParquetFile(file) as table:
        column = "img" if "img" in table.schema_arrow.names else "image"
        for batch in table.iter_batches(batch_size=ROWS, columns=[column]):
            yield from batch.column(0).to_pylist()


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
