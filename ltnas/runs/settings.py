"""What a run folder says of its run before it begins."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from ltnas.config import Run
from ltnas.config.axes import AXES
from ltnas.runs.folder import RunFolder
from ltnas.runs.provenance import provenance


def choices(config: Run) -> dict[str, str]:
    """Which value each axis of a scheme has, by the names of the command line."""
    return {
        axis: name
        for axis, values in AXES.items()
        for name, node in values.items()
        if type(getattr(config, axis, None)) is node
    }


def write_settings(folder: RunFolder, config: Run) -> None:
    """config.yaml and provenance.json; a resumed run leaves what it finds."""
    from omegaconf import OmegaConf

    if (folder.path / "provenance.json").exists():
        return
    data: dict[str, Any] = {**asdict(config), "axes": choices(config)}
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.create(data)))
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    folder.write_json("provenance.json", provenance(spec.name if spec else "ltnas", config.trainer))
