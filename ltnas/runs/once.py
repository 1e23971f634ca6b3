"""Nothing is done twice: of equal runs one is made, and the others wait for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ltnas.config import Run
from ltnas.errors import UserError
from ltnas.runs.fingerprint import fingerprint
from ltnas.runs.folder import run_folders
from ltnas.runs.locks import lock, shared_file
from ltnas.runs.resume import finished_run

Config = TypeVar("Config", bound=Run)


def once(config: Config, run: Callable[[Config], Path]) -> Path:
    """Run, unless a run of this configuration has finished or `resume` says never to look."""
    if config.resume == "never":
        return run(config)
    with alone(config):
        runs = run_folders(Path(config.runs).expanduser())
        return finished_run(config, sorted(runs)) or run(config)


@contextmanager
def alone(config: Run) -> Iterator[None]:
    """Wait for others at the same run: jobs that differ in their trainings share a search."""
    text = json.dumps(fingerprint(config), sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        file = shared_file(Path(config.runs).expanduser() / ".locks" / name)
    except OSError as error:
        raise UserError(
            f"runs={config.runs}: no folder can be made there ({error.strerror}): take another"
        ) from error
    with file:
        if not lock(file, wait=False):
            print("waiting for another process at the same run", flush=True)
            lock(file, wait=True)
        yield
