"""NVIDIA's multi-process service (MPS), by which jobs on one GPU run at the same time.

Without it, the GPU switches between processes, and the kernels of only one of them run at a time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ltnas.sweeps.devices import Place

CONTROL = "nvidia-cuda-mps-control"
PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
"""Environment variables by which the service and its clients find each other."""


@contextmanager
def shared_gpus(places: list[Place], jobs_per_gpu: int) -> Iterator[list[Place]]:
    """Start the service if jobs share a GPU, and stop it at the end; says on stderr what it does.

    Args:
        places: places of a sweep.
        jobs_per_gpu: number of jobs that share a GPU.

    Yields:
        The places, with what their jobs need to find the service.
    """
    on_gpus = any(place.environment.get("CUDA_VISIBLE_DEVICES") for place in places)
    if jobs_per_gpu == 1 or not on_gpus or PIPES in os.environ:  # the user has started one
        yield places
        return
    if shutil.which(CONTROL) is None:
        _say(f"there is no {CONTROL} here: the {jobs_per_gpu} jobs of a GPU take turns on it")
        yield places
        return
    with tempfile.TemporaryDirectory(prefix="ltnas-mps-") as folder:
        found = {PIPES: f"{folder}/pipes", LOGS: f"{folder}/logs"}
        for path in found.values():
            Path(path).mkdir()
        started = _control("-d", found)
        if started.returncode:
            reason = " ".join((started.stderr or started.stdout).split()) or "no reason given"
            _say(f"{CONTROL} failed ({reason}): the {jobs_per_gpu} jobs of a GPU take turns on it")
            yield places
            return
        _say(f"the {jobs_per_gpu} jobs of a GPU share it by MPS")
        try:
            yield [Place(place.name, place.environment | found) for place in places]
        finally:
            _control("", found, orders="quit\n")


def _control(
    option: str, variables: dict[str, str], orders: str = ""
) -> subprocess.CompletedProcess[str]:
    """Call the control program of the service."""
    # With this variable the service would number the GPUs anew, and jobs would take wrong ones.
    own = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    return subprocess.run(
        [CONTROL, *option.split()],
        input=orders,
        env=own | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def _say(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)
