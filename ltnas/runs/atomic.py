"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ltnas.errors import UserError


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` only when all is on the disk.

    Raises:
        UserError: it could not be written, for want of space for example; what was there stays.
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
