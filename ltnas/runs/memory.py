"""How much memory a run took, and the C library's allocator, told to keep what it has."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from pathlib import Path

import torch

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


def peak_memory(device: torch.device) -> float:
    """Most memory in use so far, GiB: on a GPU the tensors', else the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return process_peak() / 2**30


def process_peak() -> int:
    """Most bytes that this process held.

    On Linux by `VmHWM`: a child takes over its parent's `ru_maxrss` and keeps it through exec, so
    that one started by a big process would report that one's peak.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 2**10
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
