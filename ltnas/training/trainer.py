"""The Lightning trainer of both commands, and messages for its failures."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from signal import Signals
from subprocess import Popen, TimeoutExpired
from typing import Any
from zipfile import BadZipFile, ZipFile

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ltnas import config as c
from ltnas.data.module import LongTailData
from ltnas.distributed.processes import by_srun, by_torchrun
from ltnas.distributed.strategy import ProcessPerDevice
from ltnas.errors import Terminated, UserError
from ltnas.runs.folder import RunFolder
from ltnas.runs.memory import keep_freed_memory
from ltnas.training.monitor import MeasuringModule

PATIENCE = 2.0
"""Seconds to wait for the exit codes of other ranks after a connection to one was lost."""


def choose_accelerator(trainer: c.Trainer, precision: str, compiled: bool) -> str:
    """Return the accelerator to use, `gpu` or `cpu`.

    Raises:
        UserError: there are fewer GPUs than asked for, or the device does not support the
            precision or compilation.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    c.require(
        trainer.accelerator != "gpu" or gpus > 0,
        "trainer=gpu, but torch sees no CUDA device: take trainer=cpu, or fix the CUDA driver "
        "(nvidia-smi shows its state)",
    )
    accelerator = "gpu" if gpus and trainer.accelerator != "cpu" else "cpu"
    if accelerator == "cpu":
        keep_freed_memory()
    c.require(
        accelerator == "cpu" or trainer.devices <= gpus,
        f"trainer.devices={trainer.devices}, but there are {gpus} GPUs: take trainer.devices="
        f"{gpus}, or trainer.accelerator=cpu",
    )
    c.require(
        accelerator == "gpu" or precision == "32",
        f"precision={precision} on the CPU: PyTorch's weight gradient of dilated depthwise "
        "convolutions is wrong there in bf16; take precision=32, or a GPU",
    )
    c.require(
        accelerator == "gpu" or not compiled,
        "compile=true on the CPU: PyTorch takes minutes to compile a cell there, and ltnas has "
        "kernels of its own that are faster; take compile=false, or a GPU",
    )
    return accelerator


def autocast(accelerator: str, precision: str) -> Callable[[], AbstractContextManager[object]]:
    """Return a function that makes the context of a forward pass."""
    device = "cuda" if accelerator == "gpu" else "cpu"
    mixed = precision == "bf16-mixed"
    return lambda: torch.autocast(device, torch.bfloat16, enabled=mixed)


def build_trainer(
    config: c.Run,
    *,
    accelerator: str,
    epochs: int,
    folder: RunFolder,
    callbacks: list[L.Callback],
    logger: Logger | None,
) -> L.Trainer:
    """Build a trainer that runs `epochs` epochs and leaves everything else to the callbacks.

    Args:
        config: configuration of the run.
        accelerator: `gpu` or `cpu`.
        epochs: number of epochs.
        folder: folder of the run, or of a stage.
        callbacks: callbacks in the order in which they are called.
        logger: logger, or None.
    """
    _silence_lightning()
    backend = "gloo" if accelerator == "cpu" else "nccl"
    several = config.trainer.processes > 1
    # Lightning only runs the loop. Precision is absent because modules choose the context of each
    # pass (`autocast`), and some passes of a search are in fp32.
    return L.Trainer(
        accelerator=accelerator,
        devices=config.trainer.devices,
        num_nodes=config.trainer.nodes,
        strategy=ProcessPerDevice(process_group_backend=backend) if several else "auto",
        max_epochs=epochs,
        limit_train_batches=config.limit_batches,
        default_root_dir=folder.path,
        callbacks=callbacks,
        plugins=_cluster(config.trainer.processes),
        logger=logger or False,
        # `EpochCheckpoint` saves at the end of epochs only: Lightning's resume within an epoch
        # repeats batches without a warning.
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        # Every rank draws the whole batch and takes its rows, so nothing may split the data again.
        use_distributed_sampler=False,
    )


def _cluster(processes: int) -> list[Any]:
    """Return Lightning's plugin that says how the processes of a run were started.

    Left to itself, Lightning takes any process inside a job of SLURM for one of several tasks, and
    queues the job again, which is the business of the launcher.
    """
    if by_torchrun():
        return []  # detected by Lightning
    if processes > 1 and by_srun():
        return [SLURMEnvironment(auto_requeue=False)]
    return [LightningEnvironment()]


def fit(trainer: L.Trainer, module: MeasuringModule, data: LongTailData, checkpoint: Path) -> None:
    """Train, from the checkpoint if there is one.

    Raises:
        UserError: memory ran out, the checkpoint is damaged, or another rank has ended.
        Terminated: the process was asked to end.
    """
    resume = checkpoint if checkpoint.exists() else None
    if resume is not None:
        _check_whole(resume)
    try:
        # `weights_only`: checkpoints hold tensors and plain types, and loading one runs no code.
        trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    except SIGTERMException as error:
        raise Terminated from error
    except SystemExit as error:
        # Lightning's answer to an interrupt; a launcher's way to queue again exits too.
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    except (RuntimeError, MemoryError) as error:
        # When a process ends, all others fail in their next exchange, with errors that do not name
        # it.
        if trainer.world_size > 1 and _lost_connection(error):
            if trainer.global_rank > 0:
                raise SystemExit(2) from error  # the first process tells why
            raise UserError(
                f"{_ended_rank(trainer)}: its own output may say why, and a SIGKILL is often a "
                "lack of memory; the same command with resume=auto goes on"
            ) from error
        raise _explained(error) from error


def _lost_connection(error: BaseException) -> bool:
    """Return True for the error of a collective operation whose peer is gone."""
    # Of gloo and of NCCL; other errors of theirs, such as a bad network interface, keep their text.
    words = ("Connection closed by peer", "Connection reset by peer", "remote process exited")
    return any(word in str(error) for word in words)


def _ended_rank(trainer: L.Trainer) -> str:
    """Return which of the other processes has ended and how, as far as this one can know."""
    # Only the process that has started the others knows them; torchrun and srun start all of them.
    started: list[Popen[bytes]] = getattr(trainer.strategy.launcher, "procs", [])
    for number, process in enumerate(started, 1):
        with suppress(TimeoutExpired):  # the connection breaks just before the process is gone
            code = process.wait(timeout=PATIENCE / len(started))
            how = f"was killed by {Signals(-code).name}" if code < 0 else f"ended with code {code}"
            return f"rank {number} of this run {how}"
    return "another rank of this run has ended"


def _check_whole(checkpoint: Path) -> None:
    """Raise a `UserError` if the checkpoint is damaged; torch does not verify checksums."""
    try:
        # A damaged header may name an unknown compression, which raises NotImplementedError.
        with ZipFile(checkpoint) as archive:
            broken = archive.testzip()
    except (BadZipFile, NotImplementedError) as error:
        broken = str(error)
    c.require(
        broken is None,
        f"{checkpoint} is damaged ({broken}): delete it, and the same command with resume=auto "
        "begins this run again",
    )


def _explained(error: BaseException) -> BaseException:
    """Return a `UserError` for memory that ran out, and any other error unchanged."""
    text = str(error)
    # PyTorch's CPU allocator raises a plain RuntimeError, which only its text tells from others.
    allocation = "can't allocate memory" in text or "not enough memory" in text
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or allocation:
        return UserError(
            "memory ran out: take a smaller batch_size or channels, or on a GPU "
            "precision=bf16-mixed; resume=auto cannot change these, so start anew"
        )
    return error


def _silence_lightning() -> None:
    """Silence advice about loaders, loggers and checkpoints that are not in use here."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")
