"""The macro axis: how the cells of a network are put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass
class Macro:
    """Base of the values on the macro axis."""

    kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds of cell, each with its own architecture parameters."""


@dataclass
class StackedCells(Macro):
    """A stack of normal cells with two reduction cells among them (DARTS)."""

    kinds: ClassVar[tuple[str, ...]] = ("normal", "reduce")


MACROS: dict[str, type[Macro]] = {"cells": StackedCells}
