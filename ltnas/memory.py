"""The C library's allocator, told to keep what it has."""

from __future__ import annotations

import contextlib
import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Numbers of glibc's `mallopt`."""


def keep_freed_memory() -> None:
    """Stop glibc from giving large blocks back to the kernel; does nothing elsewhere.

    A step on the CPU frees and takes gigabytes. By default each large block is returned and mapped
    again, and the kernel clears its pages again and again.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
        mallopt(TOP_PAD, 64 * 2**20)
