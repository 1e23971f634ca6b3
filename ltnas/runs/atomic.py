"""Atomic writing of files: a file appears complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ltnas.errors import UserError


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` once its content is on the disk.

    Raises:
        UserError: the file could not be written, for example because the disk is full; an older
            file of this name is unchanged.
    """
    partial = path.parent / f".{path.name}.{os.getpid()}.partial"
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} could not be written ({error.strerror or error}): make room, then go on with "
            "resume=auto; what was saved before is whole"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
