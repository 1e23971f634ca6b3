"""`hydra/launcher=gpus`: each job of a multirun in a process and on a device of its own."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ltnas.config import GpusLauncher as GpusLauncherConfig


class GpusLauncher(Launcher):
    """Starts `python -m` of the command for each job; see `ltnas.sweeps`."""

    def __init__(self, devices: list[str] | None, jobs_per_gpu: int, jobs: int | None) -> None:
        self.sharing = GpusLauncherConfig(devices=devices, jobs_per_gpu=jobs_per_gpu, jobs=jobs)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Hydra tells what is to be launched."""
        self.context, self.config = hydra_context, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run all jobs, and give back how each has ended."""
        from ltnas.errors import UserError
        from ltnas.sweeps.devices import places
        from ltnas.sweeps.jobs import Job
        from ltnas.sweeps.sweep import mark_done, sweep

        folder = Path(str(self.config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        composed = [
            self.context.config_loader.load_sweep_config(self.config, list(overrides))
            for overrides in job_overrides
        ]
        jobs = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            kept = "hydra.searchpath="
            own = [word for word in overrides if word[:5] != "hydra" or word.startswith(kept)]
            resumes = any(word.startswith("resume=") for word in own)
            words = own if resumes else [*own, "resume=auto"]
            jobs.append(Job(number, words, folder / f"{number}.log"))
        named = sweep_name(self.config.hydra.job.config_name, [job.overrides for job in jobs])
        for job in jobs:
            job.sweep = named
        mark_done(jobs, [_typed(config) for config in composed])
        sweep(
            jobs,
            places(self.sharing.devices, self.sharing.jobs_per_gpu, self.sharing.jobs),
            command(self.config),
        )
        failed = [job for job in jobs if job.state == "failed"]
        for job in jobs:
            if job.folder:
                print(job.folder, flush=True)
        error = UserError(
            f"{len(failed)} of {len(jobs)} jobs failed: "
            + "; ".join(
                f"job {job.number} ({job.last_words()}, see {job.output})" for job in failed
            )
        )
        returned = []
        for job, config, overrides in zip(jobs, composed, job_overrides, strict=True):
            status = JobStatus.FAILED if job.state == "failed" else JobStatus.COMPLETED
            result = JobReturn(overrides=list(overrides), cfg=config, working_dir=str(folder))
            result.status = status
            result.return_value = error if job.state == "failed" else None
            returned.append(result)
        return returned


def sweep_name(command: str, jobs: Sequence[Sequence[str]]) -> str:
    """The same for the same sweep started again, so that what went on stays in its group."""
    words = sorted(" ".join(job) for job in jobs)
    return f"{command}-{hashlib.sha256(repr(words).encode()).hexdigest()[:8]}"


def command(config: DictConfig) -> list[str]:
    """What a job's words are added to; the sweep may have been started by a console script."""
    added = [
        f"--config-dir={source.path}"
        for source in config.hydra.runtime.config_sources
        if source.provider == "command-line"
    ]
    return [sys.executable, "-m", f"ltnas.{config.hydra.job.config_name}", *added]


def _typed(config: DictConfig) -> Any:  # noqa: ANN401 - of either command
    from omegaconf import open_dict

    with open_dict(config):
        plain = config.copy()
        plain.pop("hydra", None)
    return OmegaConf.to_object(plain)
