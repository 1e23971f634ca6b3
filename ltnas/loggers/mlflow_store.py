"""MLflow: numbers and settings of a run in its folder, or on a tracking server.

MLflow is imported only with `logger=mlflow`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lightning.pytorch.loggers import Logger

from ltnas.config import Run
from ltnas.errors import UserError
from ltnas.runs.folder import RunFolder

STORE = "mlruns"
"""Name of the store in a run folder."""


def open_mlflow(config: Run, folder: RunFolder, name: str) -> Iterator[Logger | None]:
    """Open a run of MLflow, and close it as finished or failed; a resumed run goes on in its own.

    Args:
        config: configuration of the run.
        folder: folder of the run or of one of its stages, in which the store lies.
        name: name of the run at MLflow.

    Yields:
        The logger; None in a process that writes no files, as only one may create a store.

    Raises:
        UserError: MLflow is not installed, or its store or server refuses the run.
    """
    if not folder.writes:
        yield None
        return
    # MLflow advises databases, but to create one for each run takes half a minute.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = os.environ.get("MLFLOW_TRACKING_URI") or (folder.path.resolve() / STORE).as_uri()
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ModuleNotFoundError as error:
        raise UserError(
            "logger=mlflow needs a package that is not installed: pip install mlflow-skinny"
        ) from error
    try:
        logger = _logger(MlflowClient(uri), uri, config, name)
    except MlflowException as error:
        raise UserError(
            f"logger=mlflow: {' '.join(str(error).split())}: check MLFLOW_TRACKING_URI, or leave "
            "it out for a store in the run folder"
        ) from error
    try:
        yield logger
    except BaseException:
        logger.finalize("failed")
        raise
    logger.finalize("success")


def _logger(client: Any, uri: str, config: Run, name: str) -> Logger:  # noqa: ANN401
    """Return the logger of the run with this name, which is begun unless there is one."""
    from lightning.pytorch.loggers import MLFlowLogger

    project = config.logger.project
    experiment = client.get_experiment_by_name(project)
    number = experiment.experiment_id if experiment else client.create_experiment(project)
    found = client.search_runs([number], f"attributes.run_name = '{name}'", max_results=1)
    if found:
        return MLFlowLogger(project, tracking_uri=uri, run_id=found[0].info.run_id)
    logger = MLFlowLogger(project, tracking_uri=uri, run_name=name)
    # Of a new run alone: MLflow keeps settings as they are, and `resume` may differ later.
    logger.log_hyperparams(asdict(config))
    return logger
