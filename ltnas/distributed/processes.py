"""Processes of one run: the rank of this process and the run folder that all of them share.

There are two ways to start them. Either the first process starts the others, as Lightning does for
`trainer.devices`, or torchrun or srun starts all of them, on one machine or several.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ltnas.config.requirements import require

if TYPE_CHECKING:
    from ltnas.config import Trainer

FOLDER_VARIABLE = "LTNAS_RUN_FOLDER"
"""Environment variable that passes the run folder to processes started by the first one."""
FOLDER_KEY = "ltnas/run_folder"
"""Key of the run folder in the store that processes of torchrun or srun share."""
NO_FOLDER = "/none"
"""Value of that key if the first process could not open a run folder."""


def by_torchrun() -> bool:
    """Return True if torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def by_srun() -> bool:
    """Return True if srun has started this process as one of several tasks.

    A shell within a SLURM allocation, `bash` or `interactive`, is not such a task.
    """
    several_tasks = int(os.environ.get("SLURM_NTASKS", "1")) > 1
    is_shell = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return several_tasks and not is_shell and not by_torchrun()


def rank(processes: int) -> int:
    """Return the rank of this process; only rank 0 prints and writes files.

    Args:
        processes: number of processes of the run; 1 for SLURM tasks that are separate runs.
    """
    if processes == 1:
        return 0
    # Lightning sets LOCAL_RANK for the processes that it starts; without it this is the first one.
    name = "RANK" if by_torchrun() else "SLURM_PROCID" if by_srun() else "LOCAL_RANK"
    return int(os.environ.get(name, "0"))


def check_processes(trainer: Trainer) -> None:
    """Check that as many processes have been started as the configuration says.

    Raises:
        UserError: torchrun or srun has started another number, or none of them has started the
            processes of several nodes.
    """
    started = int(os.environ["WORLD_SIZE"]) if by_torchrun() else None
    sizes = f"trainer.devices={trainer.devices} on trainer.nodes={trainer.nodes}"
    require(
        started in (None, trainer.processes),
        f"torchrun has started {started} processes, but {sizes} is {trainer.processes}: set "
        "trainer.devices to --nproc-per-node of torchrun, and trainer.nodes to --nnodes",
    )
    tasks = int(os.environ["SLURM_NTASKS"]) if by_srun() else None
    require(
        trainer.processes == 1 or tasks in (None, trainer.processes),
        f"SLURM has started {tasks} tasks, but {sizes} is {trainer.processes}: set "
        "trainer.devices to --ntasks-per-node of srun, and trainer.nodes to --nodes",
    )
    require(
        trainer.nodes == 1 or by_torchrun() or by_srun(),
        f"trainer.nodes={trainer.nodes} needs processes on all of them: start the command with "
        "torchrun or srun",
    )


def tell_folder(folder: str | None, processes: int) -> None:
    """Pass the run folder from the first process to all others.

    Args:
        folder: run folder; None if the first process could not open one.
        processes: number of processes of the run.
    """
    if folder is not None:
        # Processes that Lightning starts later inherit the environment.
        os.environ[FOLDER_VARIABLE] = folder
    if processes > 1 and (by_torchrun() or by_srun()):
        store = _shared_store(processes)
        store.set(FOLDER_KEY, folder or NO_FOLDER)
        # The store may live in this process, which must not end before all others have read it.
        store.wait([f"{FOLDER_KEY}/{other}" for other in range(1, processes)])


def told_folder(processes: int) -> str:
    """Return the run folder that the first process has passed on; waits for it.

    Args:
        processes: number of processes of the run.

    Raises:
        SystemExit: the first process has no run folder and has printed the reason.
    """
    if not (by_torchrun() or by_srun()):
        return os.environ[FOLDER_VARIABLE]
    store = _shared_store(processes)
    folder = str(store.get(FOLDER_KEY).decode())
    # The first process waits for this key.
    store.set(f"{FOLDER_KEY}/{rank(processes)}", "read")
    if folder == NO_FOLDER:
        raise SystemExit(2)
    return folder


def _shared_store(processes: int) -> Any:  # noqa: ANN401 - torch.distributed.Store, imported late
    """Return a key-value store that all processes share, at torch.distributed's later address."""
    from torch.distributed.rendezvous import rendezvous

    if by_srun():
        from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

        cluster = SLURMEnvironment(auto_requeue=False)
        os.environ["MASTER_ADDR"] = cluster.main_address
        os.environ["MASTER_PORT"] = str(cluster.main_port)
    store, _, _ = next(rendezvous("env://", rank(processes), processes))
    return store
