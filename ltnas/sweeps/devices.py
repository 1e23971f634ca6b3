"""Places of a sweep: devices of this machine, each of which runs one job at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field

from ltnas.config import GpusLauncher
from ltnas.config.requirements import require


@dataclass(frozen=True)
class Place:
    """A device, or a share of one, that runs one job at a time."""

    name: str
    """Name in the table of jobs."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables that restrict a job to this place."""


def places(sharing: GpusLauncher) -> list[Place]:
    """Return all places of this machine.

    Args:
        sharing: how jobs share the machine.

    Raises:
        UserError: there are GPUs, but fewer than a job shall have.
    """
    gpus = sharing.devices if sharing.devices is not None else visible_gpus()
    if not gpus:
        return _places_on_cores(sharing)
    each = sharing.gpus_per_job
    require(
        each <= len(gpus),
        f"hydra.launcher.gpus_per_job={each}, but there are {len(gpus)} GPUs: take {len(gpus)}",
    )
    # GPUs that do not fill a group of their own stay unused.
    groups = [gpus[first : first + each] for first in range(0, len(gpus) - each + 1, each)]
    return [
        Place(f"gpu {'+'.join(group)}", {"CUDA_VISIBLE_DEVICES": ",".join(group)})
        # All GPUs once, then again: the first jobs are on different GPUs.
        for _ in range(sharing.jobs_per_gpu)
        for group in groups
    ]


def _places_on_cores(sharing: GpusLauncher) -> list[Place]:
    """Return places that divide the cores evenly among the processes of all jobs."""
    cores, each = usable_cores(), sharing.gpus_per_job
    count = sharing.jobs or max(1, cores // (2 * each))
    threads = str(max(1, cores // (count * each)))
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
