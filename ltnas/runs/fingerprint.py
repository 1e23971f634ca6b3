"""The fingerprint of a run: everything that decides its result."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ltnas.config import Run
from ltnas.runs.folder import RunFolder

FREE_KEYS = {"resume", "runs", "logger", "trainer"}
"""Keys that a resumed run may change: what is computed does not depend on them."""


def fingerprint(config: Run) -> dict[str, Any]:
    """What decides a run's result, in plain types."""
    data = {key: value for key, value in asdict(config).items() if key not in FREE_KEYS}
    data["types"] = {
        key: type(value).__name__
        for key, value in vars(config).items()
        if hasattr(value, "__dict__")
    }
    data["data"] = {key: value for key, value in data["data"].items() if key != "cache"}
    return data


def fingerprint_of(config: Run) -> Any:  # noqa: ANN401 - as it is read back
    """The fingerprint as a file holds it."""
    return json.loads(json.dumps(fingerprint(config)))


def stored_fingerprint(folder: Path) -> Any:  # noqa: ANN401 - whatever was written
    """That of a run folder; None if it has none."""
    return RunFolder(folder).read_json("fingerprint.json")
