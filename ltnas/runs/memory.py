"""Peak memory of a run, and settings of the C library's allocator."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

import torch

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Parameter numbers of glibc's `mallopt`."""
CGROUP = Path("/sys/fs/cgroup")
"""Folder with the limits of the container that the process is in."""


def keep_freed_memory() -> None:
    """Stop glibc from returning large blocks to the kernel; no effect with other C libraries.

    A step on the CPU frees and allocates gigabytes. By default each large block is unmapped and
    mapped again, and the kernel clears its pages every time.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, 2**31 - 1)
        mallopt(TOP_PAD, 64 * 2**20)


def peak_memory(device: torch.device) -> float:
    """Return the peak memory in GiB: of the tensors on a GPU, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return process_peak() / 2**30


def process_peak() -> int:
    """Return the peak resident memory of this process in bytes.

    On Linux it is `VmHWM`, because a child inherits its parent's `ru_maxrss` through exec and would
    report the peak of a large parent.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 2**10
    import resource  # Windows has none, where no run gets here

    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def available_memory(device: torch.device) -> float:
    """Return the memory in bytes that is left on a device; infinity where it is not known.

    For a CPU it is what the kernel can give without swapping, or less in a container with a limit.
    """
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    available = float("inf")
    with contextlib.suppress(OSError, ValueError):  # all memory, where free memory is not told
        available = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 2**10
    with contextlib.suppress(OSError, ValueError):  # ValueError: the limit is `max`
        available = min(available, _left_in_container())
    return available


def _left_in_container() -> int:
    """Return the memory in bytes that the limit of the container leaves.

    Raises:
        OSError, ValueError: the process is in no container, or in one without a limit.
    """
    limit, used = (int((CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
    # Pages of files that were read long ago count as used, and are given up when needed.
    counts = (CGROUP / "memory.stat").read_text(encoding="utf-8").split()
    return limit - used + int(counts[counts.index("inactive_file") + 1])
