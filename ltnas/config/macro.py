"""The macro axis: how the cells of a network are put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ltnas.config.requirements import require


@dataclass
class Macro:
    """Base of the values on the macro axis."""

    kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds of cell, each with its own architecture parameters."""


@dataclass
class StackedCells(Macro):
    """A stack of normal cells with two reduction cells among them (DARTS)."""

    kinds: ClassVar[tuple[str, ...]] = ("normal", "reduce")


@dataclass
class BroadCells(Macro):
    """Two blocks of convolution cells, then enhancement cells (B-DARTS, arXiv 2009.08886).

    `cells` is the number of convolution cells. The last of each block, a broad cell, halves the
    size; all of them are normal cells.
    """

    kinds: ClassVar[tuple[str, ...]] = ("normal", "enhancement")
    # Of the authors' search network; their discrete networks have 2.
    enhancement_cells: int = 1
    """Number of enhancement cells."""

    def __post_init__(self) -> None:
        require(
            self.enhancement_cells >= 1,
            f"macro.enhancement_cells={self.enhancement_cells} must be 1 or more",
        )


MACROS: dict[str, type[Macro]] = {"cells": StackedCells, "broad": BroadCells}
