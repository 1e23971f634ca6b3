"""Tables with a column of encoded images and columns of labels: Parquet files and Arrow streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ltnas.errors import UserError

ROWS = 256
"""Number of rows that are read from a file at a time."""
SUFFIXES = (".parquet", ".arrow")


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn errors of reading a table into a `UserError`."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        kind = "Parquet" if file.suffix == ".parquet" else "Arrow"
        raise UserError(
            f"{file} cannot be read as {kind} ({reason}): it may be truncated; download it again"
        ) from error


def read_schema(file: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the columns of a table, with their types and the metadata.

    Raises:
        UserError: the file is damaged.
    """
    import pyarrow.parquet

    with readable(file):
        if file.suffix == ".parquet":
            return pyarrow.parquet.read_schema(file)
        with pyarrow.memory_map(str(file)) as mapped:
            return _arrow_reader(mapped).schema


def read_column(file: Path, column: str) -> Iterator[Any]:
    """Yield the values of one column, without reading the others.

    Raises:
        UserError: the file is damaged.
    """
    import pyarrow.parquet

    with readable(file):
        if file.suffix == ".parquet":
            with pyarrow.parquet.ParquetFile(file) as table:
                for batch in table.iter_batches(batch_size=ROWS, columns=[column]):
                    yield from batch.column(0).to_pylist()
            return
        with pyarrow.memory_map(str(file)) as mapped:
            for batch in _arrow_batches(_arrow_reader(mapped)):
                values = batch.column(column)
                for first in range(0, len(values), ROWS):
                    yield from values.slice(first, ROWS).to_pylist()


def _arrow_reader(mapped: Any) -> Any:  # noqa: ANN401
    """Return a reader of an Arrow stream, as `save_to_disk` writes it, or of an Arrow file."""
    import pyarrow

    is_file = mapped.read(6) == b"ARROW1"
    mapped.seek(0)
    return pyarrow.ipc.open_file(mapped) if is_file else pyarrow.ipc.open_stream(mapped)


def _arrow_batches(reader: Any) -> Iterator[Any]:  # noqa: ANN401
    count = getattr(reader, "num_record_batches", None)
    return iter(reader) if count is None else map(reader.get_batch, range(count))


def named_classes(schema: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401
    """Return the class names of each column whose type is ClassLabel, as the hub stores them."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return {
            column: tuple(str(name) for name in feature["names"])
            for column, feature in features.items()
            if isinstance(feature, dict) and "names" in feature
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def listed(schema: Any) -> str:  # noqa: ANN401
    """Return the columns of a table with their types as text."""
    return ", ".join(f"{field.name} ({field.type})" for field in schema)
