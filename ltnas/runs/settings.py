"""Settings and provenance of a run, written into its folder before it begins."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from ltnas.config import Run
from ltnas.config.axis import choices
from ltnas.runs.folder import RunFolder
from ltnas.runs.provenance import provenance


def write_settings(folder: RunFolder, config: Run) -> None:
    """Write config.yaml and provenance.json; a resumed run leaves the files of its first start."""
    from omegaconf import OmegaConf

    if (folder.path / "provenance.json").exists():
        return
    data: dict[str, Any] = {**asdict(config), "axes": choices(config)}
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.create(data)))
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    folder.write_json("provenance.json", provenance(spec.name if spec else "ltnas", config.trainer))
