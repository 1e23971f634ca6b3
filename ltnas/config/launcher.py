"""Configuration of `hydra/launcher=gpus`, by which jobs of a multirun share a machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class GpusLauncher:
    """Launcher that runs each job in a process, for example `hydra.launcher.jobs_per_gpu=4`."""

    _target_: str = "hydra_plugins.ltnas_launcher.GpusLauncher"
    devices: list[str] | None = None
    """GPUs to use, named as in CUDA_VISIBLE_DEVICES; None: all."""
    jobs_per_gpu: int = 1
    """Number of jobs that run on a GPU at the same time."""
    gpus_per_job: int = 1
    """Number of GPUs, or of processes on a machine without GPUs, that share each batch of a job."""
    jobs: int | None = None
    """Number of jobs at a time on a machine without GPUs; None: one for every two cores."""

    def __post_init__(self) -> None:
        # CUDA hides a device of an invalid name, and all after it, without an error.
        for device in self.devices or []:
            require(
                re.fullmatch(r"\d+|(GPU|MIG)-[\w/-]+", str(device)) is not None,
                f"hydra.launcher.devices has {device!r}: give numbers or identifiers of GPUs, as "
                "nvidia-smi -L lists them, for example hydra.launcher.devices=[0,1]",
            )
        require(
            self.jobs_per_gpu >= 1,
            f"hydra.launcher.jobs_per_gpu={self.jobs_per_gpu} must be 1 or more",
        )
        require(
            self.gpus_per_job >= 1,
            f"hydra.launcher.gpus_per_job={self.gpus_per_job} must be 1 or more",
        )
        require(
            min(self.jobs_per_gpu, self.gpus_per_job) == 1,
            f"hydra.launcher.jobs_per_gpu={self.jobs_per_gpu} with gpus_per_job="
            f"{self.gpus_per_job}: either jobs share a GPU or a job has several; leave one out",
        )
        require(
            self.jobs is None or self.jobs >= 1,
            f"hydra.launcher.jobs={self.jobs} must be 1 or more; leave it out for the machine's",
        )
