"""Where the jobs of a sweep run: places, each of which holds one job at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """Room for one job: its name, and what its environment says of it."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)


def places(devices: Sequence[str] | None, jobs_per_gpu: int, jobs: int | None) -> list[Place]:
    """All places of this machine.

    Args:
        devices: GPUs as CUDA_VISIBLE_DEVICES names them; None: all that are there.
        jobs_per_gpu: jobs that share a GPU.
        jobs: at once on a machine without GPUs; None: one for every two cores.
    """
    gpus = list(devices) if devices is not None else visible_gpus()
    if gpus:
        return [
            Place(f"gpu {gpu}", {"CUDA_VISIBLE_DEVICES": str(gpu)})
            for _ in range(jobs_per_gpu)
            for gpu in gpus
        ]
    cores = usable_cores()
    count = jobs or max(1, cores // 2)
    threads = str(max(1, cores // count))
    environment = {"OMP_NUM_THREADS": threads, "CUDA_VISIBLE_DEVICES": ""}
    return [Place(f"cpu {number}", environment) for number in range(count)]


def usable_cores() -> int:
    """Cores that this process may use, as far as the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """GPUs that this process may use, without loading torch to ask."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    lines = [line for line in listed.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]
