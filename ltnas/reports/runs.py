"""Reading of run folders: finished, unfinished, failed or unreadable runs."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ltnas.data.test_sets import (
    BALANCED,
    LONG_TAILED,
    UNBALANCED,
    all_images,
    headline,
    name_of_all,
)
from ltnas.reports.images import NOT_KNOWN, Images, completed, images_of
from ltnas.runs.fingerprint import translated
from ltnas.runs.folder import FAILURE, run_folders
from ltnas.runs.locks import is_locked

NOT_OF_A_GROUP = ("seed", "genotype", "data.root")
"""Settings in which the runs of one row of a table may differ; data are told by their content."""
NEEDED: dict[str, type | tuple[type, ...]] = {
    **{"kind": str, "scheme": str, "imbalance": str, "seed": int},
    **{"data.source": str, "data.subset_checksum": str},
    **{"provenance.commit": str, "provenance.command": str},
}
"""Keys of metrics.json that every result has, with their types."""
OF_A_TRAINING: dict[str, type | tuple[type, ...]] = {
    **{"parameters": int, "multiply_accumulates": int},
    **{"seconds": (int, float), "peak_memory_gib": (int, float)},
}
"""Keys of metrics.json that every result of a training has besides, with their types."""


@dataclass(frozen=True)
class Run:
    """One run folder.

    `state` is `finished`, `running`, `unfinished`, `failed` or `unreadable`; for the last two
    `reason` gives the error. `settings` are the command and the settings that are not defaults, by
    dotted keys. `metrics` are empty unless the run has finished. `images` identify the training
    and test images by what metrics.json has of them, and not by the path that they were read from.
    """

    folder: Path
    state: str
    settings: dict[str, str]
    metrics: dict[str, Any]
    reason: str = ""
    images: Images = NOT_KNOWN

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
    def key(self) -> tuple[object, ...]:
        """Settings and images that are equal for runs that differ only in their seeds."""
        return *self.settings_key, self.images

    @property
    def settings_key(self) -> tuple[tuple[str, str], ...]:
        """Settings that are equal for runs that differ only in their seeds."""
        kept = {key: value for key, value in self.settings.items() if key not in NOT_OF_A_GROUP}
        names = {"kind": self.kind, "scheme": str(self.metrics.get("scheme", ""))}
        return tuple(sorted((kept | names).items()))

    @property
    def tests(self) -> str:
        """Name of the set of all test images: `balanced`, or `test` if they are not balanced."""
        return self.images.tests


def find_runs(folders: Iterable[Path]) -> list[Run]:
    """Return all runs in and below the folders, each once, sorted by name.

    Values that older versions have not written of the images are taken from runs that are equal
    otherwise, so that runs of two versions can be seeds of one row.
    """
    paths = {path.resolve(): path for folder in folders for path in run_folders(folder)}
    runs = sorted((read_run(path) for path in paths.values()), key=lambda run: run.folder.name)
    images: dict[object, set[Images]] = defaultdict(set)
    for run in runs:
        if run.state == "finished":
            images[run.settings_key].add(run.images)
    return [
        replace(run, images=completed(run.images, images[run.settings_key]))
        if run.state == "finished"
        else run
        for run in runs
    ]


def read_run(folder: Path) -> Run:
    """Return the present state of the run in a folder."""
    try:
        data = json.loads((folder / "fingerprint.json").read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            return unreadable(folder, "fingerprint.json is no object")
        fingerprint = translated(data)
        if fingerprint is None:
            return unreadable(folder, "fingerprint.json is of another version")
        settings = {key: str(value) for key, value in fingerprint.items() if key != "version"}
        path = folder / "metrics.json"
        if not path.exists():
            state, why = state_of(folder)
            return Run(folder, state, settings, {}, reason=why)
        metrics = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(metrics, dict):
            metrics |= {"test": renamed(metrics["test"])} if "test" in metrics else {}
        reason = wrong_with(metrics)
    except (OSError, ValueError) as error:
        return unreadable(folder, str(error).splitlines()[0])
    if reason:
        return unreadable(folder, reason, settings)
    return Run(folder, "finished", settings, metrics, images=images_of(metrics))


def unreadable(folder: Path, reason: str, settings: dict[str, str] | None = None) -> Run:
    """Return a run whose files cannot be used, with the reason."""
    return Run(folder, "unreadable", settings or {}, {}, reason=reason)


def state_of(folder: Path) -> tuple[str, str]:
    """Return the state of a run without a result, and the reason of a failure."""
    if is_locked(folder / ".lock"):
        return "running", ""
    path = folder / FAILURE
    if not path.exists():
        return "unfinished", ""
    return "failed", path.read_text(encoding="utf-8", errors="replace")


def wrong_with(metrics: object) -> str:
    """Return the reason why metrics.json cannot be used; empty if it can."""
    if not isinstance(metrics, dict):
        return "metrics.json is no object"
    for key, types in needed(metrics).items():
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


def needed(metrics: dict[str, Any]) -> dict[str, type | tuple[type, ...]]:
    """Return the keys that metrics.json must have, with their types."""
    if metrics.get("kind") != "retrain":
        return NEEDED
    tests = metrics.get("test")
    names = set(tests) if isinstance(tests, dict) else set()
    name = all_images(names)
    # An unbalanced test split may have no other long-tailed test set than itself.
    names = {LONG_TAILED} if name == BALANCED else names & {LONG_TAILED}
    scores = [f"test.{name}.{headline(name)}", *(f"test.{part}.accuracy" for part in names)]
    return NEEDED | OF_A_TRAINING | dict.fromkeys(scores, (int, float))


def renamed(tests: Any) -> Any:  # noqa: ANN401 - the content of a file
    """Return the test reports of a result under the names of this version.

    Version 0.1.0 called all test images `balanced`, and reported on a long-tailed test set even if
    it was all of them. Reports that cannot be read are returned as they are.
    """
    try:
        counts = [sum(row) for row in tests[BALANCED]["confusion"]]
        if name_of_all(counts) == BALANCED:
            return tests
        names = {UNBALANCED: tests[BALANCED]}
        if tests[LONG_TAILED]["confusion"] != tests[BALANCED]["confusion"]:
            names[LONG_TAILED] = tests[LONG_TAILED]
    except (KeyError, TypeError, ValueError):
        return tests
    return names


def known(value: object) -> bool:
    """Return True if a result is a finite number; groups without classes have none."""
    return isinstance(value, int | float) and math.isfinite(value)
