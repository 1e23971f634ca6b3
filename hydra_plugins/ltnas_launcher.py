"""`hydra/launcher=gpus`: runs each job of a multirun in its own process on its own device."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ltnas.config import GpusLauncher as GpusLauncherConfig
from ltnas.config import Trainer
from ltnas.config.requirements import require

if TYPE_CHECKING:
    from ltnas.sweeps.jobs import Job

SEARCH_PATH = "hydra.searchpath="
"""The only override of Hydra that jobs keep: it says where their configuration files are."""


class GpusLauncher(Launcher):
    """Starts `python -m` of the command for each job; see `ltnas.sweeps`."""

    def __init__(
        self, devices: list[str] | None, jobs_per_gpu: int, gpus_per_job: int, jobs: int | None
    ) -> None:
        self.sharing = GpusLauncherConfig(
            devices=devices, jobs_per_gpu=jobs_per_gpu, gpus_per_job=gpus_per_job, jobs=jobs
        )

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Receive the configuration of the sweep from Hydra."""
        self.context, self.config = hydra_context, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run all jobs, print the folders of their runs, and return how each job has ended."""
        from ltnas.sweeps.devices import places
        from ltnas.sweeps.jobs import Job
        from ltnas.sweeps.mps import shared_gpus
        from ltnas.sweeps.sweep import mark_done, sweep

        folder = Path(str(self.config.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        configs = [
            self.context.config_loader.load_sweep_config(self.config, list(overrides))
            for overrides in job_overrides
        ]
        jobs = [
            Job(number, job_words(overrides, self.sharing.gpus_per_job), folder / f"{number}.log")
            for number, overrides in enumerate(job_overrides, initial_job_idx)
        ]
        name = sweep_name(self.config.hydra.job.config_name, [job.overrides for job in jobs])
        for job in jobs:
            job.sweep = name
        typed = [_typed(config) for config in configs]
        for config in typed:
            self._check_processes(config.trainer)
        mark_done(jobs, typed)
        with shared_gpus(places(self.sharing), self.sharing.jobs_per_gpu) as shared:
            sweep(jobs, shared, command(self.config))
        for job in jobs:
            if job.folder:
                print(job.folder, flush=True)
        return [
            _job_return(job, jobs, config, overrides, folder)
            for job, config, overrides in zip(jobs, configs, job_overrides, strict=True)
        ]

    def _check_processes(self, trainer: Trainer) -> None:
        """Raise a `UserError` for a job that asks for other devices than it would get."""
        each = self.sharing.gpus_per_job
        require(
            trainer.processes in (1, each),
            f"trainer.devices={trainer.devices} trainer.nodes={trainer.nodes} in a job of "
            f"hydra/launcher=gpus, which gives each job {each}: take hydra.launcher.gpus_per_job",
        )


def job_words(overrides: Sequence[str], processes: int) -> list[str]:
    """Return the overrides that a job is started with: not Hydra's, and resuming by default.

    Args:
        overrides: overrides of the job.
        processes: number of processes of the job; it replaces the job's own trainer.devices.
    """
    words = [word for word in overrides if word[:5] != "hydra" or word.startswith(SEARCH_PATH)]
    if not any(word.startswith("resume=") for word in words):
        words.append("resume=auto")
    return words if processes == 1 else [*words, f"trainer.devices={processes}"]


def sweep_name(command: str, jobs: Sequence[Sequence[str]]) -> str:
    """Return a name that depends only on the jobs, so that a restarted sweep keeps its group."""
    words = sorted(" ".join(job) for job in jobs)
    return f"{command}-{hashlib.sha256(repr(words).encode()).hexdigest()[:8]}"


def command(config: DictConfig) -> list[str]:
    """Return the command that a job's overrides are appended to.

    It is `python -m` of the command also if a console script has started the sweep.
    """
    added = [
        f"--config-dir={source.path}"
        for source in config.hydra.runtime.config_sources
        if source.provider == "command-line"
    ]
    return [sys.executable, "-m", f"ltnas.{config.hydra.job.config_name}", *added]


def _job_return(
    job: Job, jobs: Sequence[Job], config: DictConfig, overrides: Sequence[str], folder: Path
) -> JobReturn:
    """Return what Hydra is told of a job; a failed one carries the error of the whole sweep."""
    from ltnas.errors import UserError

    result = JobReturn(overrides=list(overrides), cfg=config, working_dir=str(folder))
    result.status = JobStatus.COMPLETED
    if job.state == "failed":
        failed = [job for job in jobs if job.state == "failed"]
        reasons = (f"job {job.number} ({job.failure()}, see {job.output})" for job in failed)
        result.status = JobStatus.FAILED
        result.return_value = UserError(
            f"{len(failed)} of {len(jobs)} jobs failed: {'; '.join(reasons)}"
        )
    return result


def _typed(config: DictConfig) -> Any:  # noqa: ANN401 - the dataclass of either command
    """Return the composed configuration as a dataclass."""
    from omegaconf import open_dict

    with open_dict(config):
        plain = config.copy()
        plain.pop("hydra", None)
    return OmegaConf.to_object(plain)
