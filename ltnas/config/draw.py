"""Configuration of `python -m ltnas.draw`."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import paths_to_text, require

PICTURE_FORMATS = ("svg", "png", "pdf")
"""Endings of the pictures that can be drawn."""


@dataclass
class DrawConfig:
    """Configuration of `python -m ltnas.draw`."""

    genotype: str = ""
    """Run folder, file or published name."""
    out: str = "cell.svg"
    """Picture to write; its ending decides the format."""

    def __post_init__(self) -> None:
        paths_to_text(self, "genotype", "out")
        require(
            self.genotype != "",
            "genotype= is missing: add genotype=darts_v2, a run folder or a file",
        )
        require(
            self.out.lower().endswith(tuple(f".{ending}" for ending in PICTURE_FORMATS)),
            f"out={self.out} does not end in .{', .'.join(PICTURE_FORMATS)}: its ending decides "
            "the format of the picture, for example out=cell.svg",
        )
