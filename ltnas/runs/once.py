"""Runs of equal configuration are computed once; other processes wait for the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ltnas.config import Run
from ltnas.errors import UserError
from ltnas.runs.comparison import DataChecksum
from ltnas.runs.fingerprint import fingerprint
from ltnas.runs.folder import run_folders
from ltnas.runs.locks import lock, shared_file
from ltnas.runs.resume import finished_run
from ltnas.runs.user_paths import expanded

Config = TypeVar("Config", bound=Run)


def once(config: Config, run: Callable[[Config], Path], data_checksum: DataChecksum) -> Path:
    """Return the folder of a finished run of this configuration, or run it now.

    With `resume=never` finished runs are not looked for.

    Args:
        config: configuration of the run.
        run: function that runs it and returns the run folder.
        data_checksum: see `finished_run`.
    """
    if config.resume == "never":
        return run(config)
    with alone(config):
        runs = run_folders(expanded("runs", config.runs))
        return finished_run(config, sorted(runs), data_checksum) or run(config)


@contextmanager
def alone(config: Run) -> Iterator[None]:
    """Hold the lock of a configuration, after waiting for other processes that run it.

    Jobs of a sweep that differ only in their trainings share a search in this way.

    Raises:
        UserError: the folder of runs cannot be created.
    """
    text = json.dumps(fingerprint(config), sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        file = shared_file(expanded("runs", config.runs) / ".locks" / name)
    except OSError as error:
        raise UserError(
            f"runs={config.runs}: no folder can be made there ({error.strerror}): take another"
        ) from error
    with file:
        if not lock(file, wait=False):
            print("waiting for another process at the same run", flush=True)
            lock(file, wait=True)
        yield
