"""Where numbers go besides a run's own csv files."""

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
from ltnas.loggers.charts import SECTIONS
from ltnas.runs.environment import SWEEP_VARIABLE
from ltnas.runs.folder import RunFolder


def pictures(config: Run, folder: RunFolder) -> list[L.Callback]:
    """What draws for the logger after each epoch of a search."""
    if config.logger.kind != "wandb":
        return []
    from ltnas.loggers.dashboard import Pictures

    return [Pictures(folder)]


def publish(config: Run, logger: Logger | None, folder: RunFolder, genotype: str = "") -> None:
    """Send a run's result to the logger, if that takes more than numbers."""
    if config.logger.kind == "wandb":
        from ltnas.loggers.dashboard import publish as send

        send(logger, folder, genotype)


@contextmanager
def open_logger(config: Run, folder: RunFolder, job: str) -> Iterator[Logger | None]:
    """The logger that the configuration names, closed at the end with the right exit code."""
    match config.logger.kind:
        case "wandb":
            yield from _wandb(config, folder, job)
        case "tensorboard":
            yield _tensorboard(folder)
        case _:
            yield None


def _tensorboard(folder: RunFolder) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    try:
        return TensorBoardLogger(folder.path, name="tensorboard", version="")
    except ModuleNotFoundError as error:
        raise UserError(
            "logger=tensorboard needs a package that is not there: pip install tensorboard"
        ) from error


def _wandb(config: Run, folder: RunFolder, job: str) -> Iterator[Logger]:
    import wandb
    from lightning.pytorch.loggers import WandbLogger
    from pydantic import ValidationError

    settings: dict[str, Any] = asdict(config)
    stage = folder.path.name == job  # a folder in the run's
    name = f"{folder.path.parent.name}-{job}" if stage else folder.path.name
    logger = WandbLogger(
        name=name,
        save_dir=folder.path,
        project=config.logger.project,
        entity=config.logger.entity,
        # The same after a resume, so that curves go on; an agent of a W&B sweep has its own.
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


def _exit_code(error: BaseException) -> int:
    """That the command will end with."""
    match error:
        case UserError():
            return 2
        case KeyboardInterrupt():
            return 130
        case SystemExit(code=int(code)):
            return code
    return 1


def _count_in_epochs(logger: Any) -> None:  # noqa: ANN401 - wandb's run has no types here
    """Make the epoch the axis of every chart."""
    logger.experiment.define_metric("epoch", hidden=True)
    # Lightning has said its step counter for all; which pattern W&B takes of two is chance.
    logger.experiment.define_metric("*", step_metric="epoch", overwrite=True)
    for section in sorted({*SECTIONS.values(), "test_balanced", "test_long_tailed"}):
        logger.experiment.define_metric(f"{section}/*", step_metric="epoch")
