"""Configuration of `python -m ltnas.export`."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import paths_to_text, require, require_choice

EXPORT_FORMATS = {"onnx": "onnx", "torch_export": "pt2", "safetensors": "safetensors"}
"""Formats of exported networks, each with the ending of its files."""


@dataclass
class ExportConfig:
    """Configuration of `python -m ltnas.export`."""

    run: str = ""
    """Run folder of ltnas.retrain, or a file of `ltnas.export format=safetensors`."""
    format: str = "onnx"
    """`onnx`, `torch_export` or `safetensors`."""
    out: str | None = None
    """File to write; None: `exported` with the ending of the format, in the run folder."""

    def __post_init__(self) -> None:
        paths_to_text(self, "run", "out")
        require(self.run != "", "run= is missing: add run=FOLDER, a run folder of ltnas.retrain")
        require_choice("format", self.format, tuple(EXPORT_FORMATS))
