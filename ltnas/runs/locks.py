"""File locks between processes; the system releases them when a process ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from ltnas.errors import UserError

# The module `fcntl` is imported where it is used: Windows has none, and reads results without it.


def has_locks() -> bool:
    """Return True on a system with POSIX file locks."""
    return find_spec("fcntl") is not None


def require_locks() -> None:
    """Raise a `UserError` on a system without POSIX file locks."""
    if not has_locks():
        raise UserError(
            "this system has no POSIX file locks, which keep two processes out of one run: on "
            "Windows, run ltnas in WSL (wsl --install); ltnas.report works without it"
        )


def lock(file: IO[bytes], wait: bool) -> bool:
    """Acquire an exclusive lock; return False if another process holds it.

    On a file system without locks (some NFS, Lustre without `-o flock`) a note is printed and the
    lock counts as acquired.

    Args:
        file: open file; closing it releases the lock.
        wait: True to wait until the lock is free.

    Raises:
        UserError: the system has no file locks at all.
    """
    require_locks()
    import fcntl

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


@contextmanager
def waiting_lock(path: Path) -> Iterator[bool]:
    """Hold the lock of a file while the context lasts, after other processes have released it.

    Yields:
        True if the lock is held; False if the file cannot be written or the system has no locks.
    """
    if not has_locks():
        yield False
        return
    import fcntl

    with ExitStack() as stack:
        held = False
        with suppress(OSError):
            file = stack.enter_context(path.open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX)
            held = True
        yield held


def is_locked(path: Path) -> bool:
    """Return True if a process holds the lock of a file; False on a system without locks."""
    if not has_locks():
        return False
    import fcntl

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no such file, or no lock on this file system
        return False
    return False


def shared_file(path: Path) -> IO[bytes]:
    """Open a file, creating it where needed, that all users of its folder can lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # created by another user, with these permissions
        path.parent.chmod(0o1777)
    try:
        return path.open("ab")
    except PermissionError:
        return path.open("rb")  # another user's file; a lock needs no write access
