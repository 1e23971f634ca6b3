"""Choice of the logger that receives a run's numbers besides the CSV files in its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import lightning as L
from lightning.pytorch.loggers import Logger

from ltnas.config import Run
from ltnas.errors import UserError
from ltnas.loggers.charts import SECTIONS, TEST_SECTIONS
from ltnas.runs.environment import SWEEP_VARIABLE
from ltnas.runs.folder import RunFolder


def pictures(config: Run, folder: RunFolder) -> list[L.Callback]:
    """Return the callbacks that send pictures to the logger after each epoch of a search."""
    if config.logger.kind != "wandb":
        return []
    from ltnas.loggers.dashboard import Pictures

    return [Pictures(folder)]


def publish(config: Run, logger: Logger | None, folder: RunFolder, genotype: str = "") -> None:
    """Send tables and artifacts of a finished run to the logger, if it accepts them.

    Args:
        config: configuration of the run, which names the logger.
        logger: open logger of the run's last stage.
        folder: run folder with all result files.
        genotype: genotype that a training was given; empty for a search.
    """
    if config.logger.kind == "wandb":
        from ltnas.loggers.dashboard import publish as send

        send(logger, folder, genotype)


@contextmanager
def open_logger(config: Run, folder: RunFolder, job: str) -> Iterator[Logger | None]:
    """Open the logger that the configuration names, and close it with the command's exit code.

    Args:
        config: configuration of the run.
        folder: folder of the run or of one of its stages.
        job: kind of the run or stage: search, retrain or pretrain.

    Yields:
        The logger; None if only CSV files are written.

    Raises:
        UserError: the logger's package is not installed, or W&B or MLflow refuses the run.
        ValueError: the logger is not known.
    """
    match config.logger.kind:
        case "wandb":
            yield from _wandb(config, folder, job)
        case "tensorboard":
            yield _tensorboard(folder)
        case "mlflow":
            from ltnas.loggers.mlflow_store import open_mlflow

            yield from open_mlflow(config, folder, name_of(folder, job))
        case "csv" | "none":
            yield None
        case unknown:
            raise ValueError(f"{unknown} is not a value of logger")


def _tensorboard(folder: RunFolder) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(folder.path, name="tensorboard", version="")
    except ModuleNotFoundError as error:
        raise UserError(
            "logger=tensorboard needs a package that is not installed: pip install tensorboard"
        ) from error


def _wandb(config: Run, folder: RunFolder, job: str) -> Iterator[Logger]:
    import wandb
    from lightning.pytorch.loggers import WandbLogger
    from pydantic import ValidationError

    settings: dict[str, Any] = asdict(config)
    name = name_of(folder, job)
    logger = WandbLogger(
        name=name,
        save_dir=folder.path,
        project=config.logger.project,
        entity=config.logger.entity,
        # A resumed run keeps its id, so that its curves continue; a W&B sweep assigns the id.
        id=None if "WANDB_SWEEP_ID" in os.environ else name[-64:],
        resume="allow",
        job_type=job,
        group=os.environ.get(SWEEP_VARIABLE),
        config=settings,
    )
    try:
        _count_in_epochs(logger)
    except (wandb.errors.Error, ValidationError) as error:
        raise UserError(
            f"logger=wandb: {' '.join(str(error).split())}: wandb login, or WANDB_MODE=offline"
        ) from error
    try:
        yield logger
    except BaseException as error:
        wandb.finish(exit_code=_exit_code(error))
        raise
    wandb.finish()


def name_of(folder: RunFolder, job: str) -> str:
    """Return the name of a run or a stage at a logger; a stage has a subfolder of the run's."""
    is_stage = folder.path.name == job
    return f"{folder.path.parent.name}-{job}" if is_stage else folder.path.name


def _exit_code(error: BaseException) -> int:
    """Return the exit code with which the command will end after this error."""
    match error:
        case UserError():
            return 2
        case KeyboardInterrupt():
            return 130
        case SystemExit(code=int(code)):
            return code
    return 1


def _count_in_epochs(logger: Any) -> None:  # noqa: ANN401 - wandb's run has no types here
    """Make the epoch the horizontal axis of every chart."""
    logger.experiment.define_metric("epoch", hidden=True)
    # Lightning has set its step counter for "*"; of two matching patterns W&B may use either.
    logger.experiment.define_metric("*", step_metric="epoch", overwrite=True)
    for section in sorted({*SECTIONS.values(), *TEST_SECTIONS.values()}):
        logger.experiment.define_metric(f"{section}/*", step_metric="epoch")
