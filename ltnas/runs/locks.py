"""Locks between processes, as files; they end with the process that has them."""

from __future__ import annotations

import fcntl
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO


def lock(file: IO[bytes], wait: bool) -> bool:
    """Whether this process has the lock of a file now; no other has it then.

    On a file system without locks (some of NFS, Lustre without `-o flock`) it says so and goes on.

    Args:
        file: open; closing it ends the lock.
        wait: until the process that has it ends.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        print(
            f"note: {file.name} cannot be locked ({error.strerror}): let no two processes work at "
            "the same run, or take a runs folder on another file system",
            file=sys.stderr,
        )
    return True


def shared_file(path: Path) -> IO[bytes]:
    """A file that all users of its folder can lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # made by another user, who has done so
        path.parent.chmod(0o1777)
    try:
        return path.open("ab")
    except PermissionError:
        return path.open("rb")  # another user's; a lock needs no more
