"""Where numbers go besides a run's own csv files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from lightning.pytorch.loggers import Logger

from ltnas.config import Run
from ltnas.errors import UserError
from ltnas.runs import RunFolder


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

    settings: dict[str, Any] = asdict(config)
    stage = folder.path.name == job  # a folder in the run's
    name = f"{folder.path.parent.name}-{job}" if stage else folder.path.name
    logger = WandbLogger(
        name=name,
        save_dir=folder.path,
        project=config.logger.project,
        entity=config.logger.entity,
        id=name[-64:],  # the same after a resume, so that curves go on
        resume="allow",
        job_type=job,
        config=settings,
    )
    try:
        yield logger
    except BaseException:
        wandb.finish(exit_code=1)
        raise
    wandb.finish()
