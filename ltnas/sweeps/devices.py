"""Places of a sweep: devices of this machine, each of which runs one job at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """A device, or a share of one, that runs one job at a time."""

    name: str
    """Name in the table of jobs."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables that restrict a job to this place."""


def places(devices: Sequence[str] | None, jobs_per_gpu: int, jobs: int | None) -> list[Place]:
    """Return all places of this machine.

    Args:
        devices: GPUs as CUDA_VISIBLE_DEVICES names them; None for all visible GPUs.
        jobs_per_gpu: number of jobs that share a GPU.
        jobs: number of simultaneous jobs on a machine without GPUs; None for one per two cores.
    """
    gpus = list(devices) if devices is not None else visible_gpus()
    if gpus:
        return [
            Place(f"gpu {gpu}", {"CUDA_VISIBLE_DEVICES": str(gpu)})
            # All GPUs once, then again: the first jobs are on different GPUs.
            for _ in range(jobs_per_gpu)
            for gpu in gpus
        ]
    # Without GPUs the cores are divided evenly among the jobs.
    cores = usable_cores()
    count = jobs or max(1, cores // 2)
    threads = str(max(1, cores // count))
    environment = {"OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
    return [Place(f"cpu {number}", environment) for number in range(count)]


def usable_cores() -> int:
    """Return the number of cores that this process may use, or all cores if that is unknown."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    # `nvidia-smi -L` also lists the MIG instances below each GPU, in indented lines.
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]
