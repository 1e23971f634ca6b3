"""Configuration of `python -m ltnas.data`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.data import Data, Imbalance
from ltnas.config.requirements import paths_to_text, require, require_seed


@dataclass
class PreviewConfig:
    """Configuration of `python -m ltnas.data`."""

    data: Data = field(default_factory=Data)
    imbalance: Imbalance = field(default_factory=Imbalance)
    indices: str | None = None
    """File that the positions of the kept training images are written to; None: no file."""
    views: int = 8
    """Number of augmented views of an image of each class in the contact sheet."""
    rows: int = 20
    """Largest number of classes in the contact sheet; of more, every N-th is shown."""
    seed: int = 0
    """Seed of the augmentation."""
    out: str = "preview"
    """Folder of the contact sheet."""

    def __post_init__(self) -> None:
        paths_to_text(self, "indices", "out")
        require(self.views >= 1, f"views={self.views} must be 1 or more")
        require(self.rows >= 1, f"rows={self.rows} must be 1 or more")
        require_seed("seed", self.seed)
