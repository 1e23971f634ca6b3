"""The processes of one run: which of them this is, and how all of them find one run folder.

Either the first starts the others, as Lightning does for `trainer.devices`, or torchrun or srun has
started all of them, on one machine or on many.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ltnas.config.requirements import require

if TYPE_CHECKING:
    from ltnas.config import Trainer

FOLDER_VARIABLE = "LTNAS_RUN_FOLDER"
"""How the first process tells those that it starts the run folder."""
KEY = "ltnas/run_folder"
NONE = "/none"
"""Told instead of a folder when the first process could not open one."""


def by_torchrun() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def by_srun() -> bool:
    """Whether this is one of several tasks of SLURM; a shell on its machines is none."""
    several = int(os.environ.get("SLURM_NTASKS", "1")) > 1
    shell = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return several and not shell and not by_torchrun()


def rank(processes: int) -> int:
    """The number of this process; the first, 0, alone prints and writes.

    Args:
        processes: of the run. Tasks of SLURM may be runs of their own.
    """
    if processes == 1:
        return 0
    name = "RANK" if by_torchrun() else "SLURM_PROCID" if by_srun() else "LOCAL_RANK"
    return int(os.environ.get(name, "0"))


def check_processes(trainer: Trainer) -> None:
    """Raise a `UserError` if other processes have been started than `trainer` speaks of."""
    started = int(os.environ["WORLD_SIZE"]) if by_torchrun() else None
    sizes = f"trainer.devices={trainer.devices} on trainer.nodes={trainer.nodes}"
    require(
        started in (None, trainer.processes),
        f"torchrun has started {started} processes, but {sizes} is {trainer.processes}: say "
        "trainer.devices=N for torchrun's --nproc-per-node=N, and trainer.nodes=M for --nnodes=M",
    )
    tasks = int(os.environ["SLURM_NTASKS"]) if by_srun() else None
    require(
        trainer.processes == 1 or tasks in (None, trainer.processes),
        f"SLURM has started {tasks} tasks, but {sizes} is {trainer.processes}: say "
        "trainer.devices=N for --ntasks-per-node=N, and trainer.nodes=M for --nodes=M",
    )
    require(
        trainer.nodes == 1 or by_torchrun() or by_srun(),
        f"trainer.nodes={trainer.nodes} needs processes on all of them: start the command by "
        "torchrun or srun",
    )


def tell_folder(folder: str | None, processes: int) -> None:
    """Tell the other processes of the run its folder; None: there is none."""
    if folder is not None:
        os.environ[FOLDER_VARIABLE] = folder
    if processes > 1 and (by_torchrun() or by_srun()):
        store = _meeting(processes)
        store.set(KEY, folder or NONE)
        # This process may keep the store: it must not end before all have read.
        store.wait([f"{KEY}/{other}" for other in range(1, processes)])


def told_folder(processes: int) -> str:
    """The folder that the first process tells.

    Raises:
        SystemExit: it has none, and has said why.
    """
    if not (by_torchrun() or by_srun()):
        return os.environ[FOLDER_VARIABLE]
    store = _meeting(processes)
    folder = str(store.get(KEY).decode())
    store.set(f"{KEY}/{rank(processes)}", "read")
    if folder == NONE:
        raise SystemExit(2)
    return folder


def _meeting(processes: int) -> Any:  # noqa: ANN401 - torch.distributed.Store, imported late
    """A store that all processes of the run see, where torch.distributed will meet later."""
    from torch.distributed.rendezvous import rendezvous

    if by_srun():
        from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

        cluster = SLURMEnvironment(auto_requeue=False)
        os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = (
            cluster.main_address,
            str(cluster.main_port),
        )
    store, _, _ = next(rendezvous("env://", rank(processes), processes))
    return store
