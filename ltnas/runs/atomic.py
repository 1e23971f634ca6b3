"""Atomic writing of files: a file appears complete or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ltnas.errors import UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk, a used quota and a limit on the size of files."""
GO_ON = "go on with resume=auto; what was saved before is whole"
"""Advice for a run whose file could not be written."""


def deleted(folder: Path) -> str:
    """Return the message for a folder that was deleted while a command worked in it."""
    return f"{folder} was deleted while this command worked in it: start it again"


@contextmanager
def atomically(path: Path, then: str = GO_ON) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` once its content is on the disk.

    Args:
        path: path of the file.
        then: advice for the user, once there is room for the file.

    Raises:
        UserError: the file could not be written, for example because the disk is full; an older
            file of this name is unchanged.
    """
    partial = path.parent / f".{path.name}.{os.getpid()}.partial"
    try:
        path.parent.stat()  # some writers would make the folder anew
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if not path.parent.is_dir():
            raise UserError(deleted(path.parent)) from error
        cure = "make room" if error.errno in NO_ROOM else f"make {path.parent} writable"
        raise UserError(
            f"{path} could not be written ({error.strerror or error}): {cure}, then {then}"
        ) from error
    finally:
        partial.unlink(missing_ok=True)
