"""`hydra/launcher=gpus`: how the jobs of a multirun share a machine."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class GpusLauncher:
    """A process for each job: `hydra.launcher.jobs_per_gpu=4`."""

    _target_: str = "hydra_plugins.ltnas_launcher.GpusLauncher"
    devices: list[str] | None = None
    """GPUs, as CUDA_VISIBLE_DEVICES names them; None: all."""
    jobs_per_gpu: int = 1
    jobs: int | None = None
    """At once on a machine without GPUs; None: one for every two cores."""

    def __post_init__(self) -> None:
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
            self.jobs is None or self.jobs >= 1,
            f"hydra.launcher.jobs={self.jobs} must be 1 or more; leave it out for the machine's",
        )
