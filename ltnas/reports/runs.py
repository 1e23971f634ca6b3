"""Reading of run folders: finished, unfinished, failed or unreadable runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ltnas.runs.fingerprint import translated
from ltnas.runs.folder import FAILURE, run_folders
from ltnas.runs.locks import is_locked

NOT_OF_A_GROUP = ("seed", "genotype")
"""Settings in which the runs of one row of a table may differ."""
NEEDED: dict[str, type | tuple[type, ...]] = {
    **{"kind": str, "scheme": str, "imbalance": str, "seed": int},
    **{"data.source": str, "data.subset_checksum": str},
    **{"provenance.commit": str, "provenance.command": str},
}
"""Keys of metrics.json that every result has, with their types."""
OF_A_TRAINING: dict[str, type | tuple[type, ...]] = {
    **{"parameters": int, "multiply_accumulates": int},
    **{"seconds": (int, float), "peak_memory_gib": (int, float)},
    "test.balanced.accuracy": (int, float),
    "test.long_tailed.accuracy": (int, float),
}


@dataclass(frozen=True)
class Run:
    """One run folder.

    `state` is `finished`, `running`, `unfinished`, `failed` or `unreadable`; for the last two
    `reason` gives the error. `settings` are the command and the settings that are not defaults, by
    dotted keys. `metrics` are empty unless the run has finished.
    """

    folder: Path
    state: str
    settings: dict[str, str]
    metrics: dict[str, Any]
    reason: str = ""

    @property
    def name(self) -> str:
        """Name of the folder, in characters that can be written to any file."""
        return self.folder.name.encode(errors="backslashreplace").decode()

    @property
    def kind(self) -> str:
        """`search` or `retrain`, by the content of the folder: users may rename folders."""
        if self.metrics:
            return str(self.metrics["kind"])
        return self.settings.get("command", "search")

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Settings that are equal for runs that differ only in their seeds."""
        kept = {key: value for key, value in self.settings.items() if key not in NOT_OF_A_GROUP}
        names = {"kind": self.kind, "scheme": str(self.metrics.get("scheme", ""))}
        return tuple(sorted((kept | names).items()))


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """Return all runs in and below the folders, each once, sorted by name."""
    paths = {path.resolve(): path for folder in folders for path in run_folders(folder)}
    return sorted((read_run(path) for path in paths.values()), key=lambda run: run.folder.name)


def read_run(folder: Path) -> Run:
    """Return the present state of the run in a folder."""
    try:
        data = json.loads((folder / "fingerprint.json").read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            return Run(folder, "unreadable", {}, {}, "fingerprint.json is no object")
        fingerprint = translated(data)
        if fingerprint is None:
            return Run(folder, "unreadable", {}, {}, "fingerprint.json is of another version")
        settings = {key: str(value) for key, value in fingerprint.items() if key != "version"}
        path = folder / "metrics.json"
        if not path.exists():
            return Run(folder, *state_of(folder, settings))
        metrics = json.loads(path.read_text(encoding="utf-8"))
        reason = wrong_with(metrics)
    except (OSError, ValueError) as error:
        return Run(folder, "unreadable", {}, {}, str(error).splitlines()[0])
    if reason:
        return Run(folder, "unreadable", settings, {}, reason)
    return Run(folder, "finished", settings, metrics)


def state_of(
    folder: Path, settings: dict[str, str]
) -> tuple[str, dict[str, str], dict[str, Any], str]:
    """Return state, settings, empty metrics and reason of a run without a result."""
    if is_locked(folder / ".lock"):
        return "running", settings, {}, ""
    path = folder / FAILURE
    if not path.exists():
        return "unfinished", settings, {}, ""
    return "failed", settings, {}, path.read_text(encoding="utf-8", errors="replace")


def wrong_with(metrics: object) -> str:
    """Return the reason why metrics.json cannot be used; empty if it can."""
    if not isinstance(metrics, dict):
        return "metrics.json is no object"
    needed = NEEDED | (OF_A_TRAINING if metrics.get("kind") == "retrain" else {})
    for key, types in needed.items():
        value: Any = metrics
        for step in key.split("."):
            if not isinstance(value, dict) or step not in value:
                return f"metrics.json has no {key}: written by another version?"
            value = value[step]
        if not isinstance(value, types) or isinstance(value, bool) or value != value:
            return f"metrics.json has {value!r} for {key}: written by another version?"
    if metrics["kind"] not in ("search", "retrain"):
        return f"metrics.json is of a {metrics['kind']}, which is not known: of another version?"
    return ""


def known(value: object) -> bool:
    """Return True if a result is a finite number; groups without classes have none."""
    return isinstance(value, int | float) and math.isfinite(value)
