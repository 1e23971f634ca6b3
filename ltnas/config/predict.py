"""Configuration of `python -m ltnas.predict`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ltnas.config.requirements import paths_to_text, require
from ltnas.config.run import Trainer


@dataclass
class PredictConfig:
    """Configuration of `python -m ltnas.predict`."""

    trainer: Trainer = field(default_factory=Trainer)
    run: str = ""
    """Run folder of ltnas.retrain, or a file of `ltnas.export format=safetensors`."""
    images: list[str] = field(default_factory=list)
    """Image files, folders that are searched with their subfolders, and patterns with `*`."""
    top: int = 3
    """Number of classes that are listed for an image, the most probable first."""
    prior: Any = "training"
    """Class frequencies that the probabilities assume: `training` for those of the training,
    `uniform`, or a list with one number for each class."""
    batch_size: int = 64
    """Number of images that are decoded and computed together."""
    out: str | None = None
    """CSV file to write; None: print a table."""

    def __post_init__(self) -> None:
        paths_to_text(self, "run", "out")
        require(self.run != "", "run= is missing: add run=FOLDER, a run folder of ltnas.retrain")
        require(
            self.images != [] and "" not in self.images,
            f"images={','.join(self.images)} names no image: add images=PHOTO or images=FOLDER",
        )
        require(self.top >= 1, f"top={self.top} must be 1 or more classes")
        require(self.batch_size >= 1, f"batch_size={self.batch_size} must be 1 or more images")
        require(
            self.prior in ("training", "uniform") or _are_weights(self.prior),
            f"prior={self.prior} is not known: choose training or uniform, or give a number for "
            "each class, for example prior=[0.7,0.2,0.1]",
        )
        require(
            self.trainer.processes == 1,
            f"trainer.devices={self.trainer.devices}: a prediction uses one device; take "
            "trainer.devices=1",
        )


def _are_weights(prior: object) -> bool:
    """Return True for a list of finite numbers, none below 0 and one above it."""
    if not isinstance(prior, list | tuple) or not prior:
        return False
    numbers = [value for value in prior if type(value) in (int, float)]
    valid = all(value >= 0 and math.isfinite(value) for value in numbers)
    return len(numbers) == len(prior) and valid and max(numbers) > 0
