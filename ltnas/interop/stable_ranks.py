"""Stable ranks, which checkpoints of MSR-DARTS have instead of architecture parameters.

Its convolutions of candidate operations keep their weights before the division (`weight_orig`), and
beside them the vectors of power iterations (`weight_u`, `weight_v`) and the last estimate of the
largest singular value (`weight_sigma`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from torch import Tensor

from ltnas.axes.stable_rank import StableRankOfCells
from ltnas.config import StackedCells, require
from ltnas.interop.names import bare
from ltnas.space.layout import reductions

_ESTIMATES = (".weight_u", ".weight_v", ".weight_sigma")
_INPUT = "cells.0._ops.0._ops.0.op.1.weight_v"
"""Estimated right singular vector of the first convolution, of the size of its input."""


def build_rank_relaxation(
    cells: int, edges: int, operations: int, temperature: float
) -> StableRankOfCells:
    """Return mixing weights by the ranks of each cell.

    Args:
        cells: number of cells in the stack.
        edges: number of edges of a cell.
        operations: number of candidate operations.
        temperature: what ranks are divided by.
    """
    counts = Counter(StackedCells.kinds[index in reductions(cells)] for index in range(cells))
    return StableRankOfCells(counts, edges, operations, temperature)


def without_estimates(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint without the tensors of power iterations."""
    return {name: t for name, t in state_dict.items() if not name.endswith(_ESTIMATES)}


def image_side(state_dict: Mapping[str, Tensor], channels: int, cells: int) -> int:
    """Return the side of the images of a checkpoint, pixels.

    Args:
        state_dict: tensors of the checkpoint.
        channels: number of channels that the search network was created with.
        cells: number of cells in the stack.

    Raises:
        UserError: the checkpoint does not tell it, or the images are not square.
    """
    sizes = {bare(name): tensor.numel() for name, tensor in state_dict.items()}
    require(
        _INPUT in sizes,
        f"the checkpoint has no {_INPUT}, from whose size that of the images follows: give the "
        "whole state dict of a MSR-DARTS search",
    )
    # The first cell, whose inputs have the size of the images, may be a reduction cell.
    width = channels * (2 if 0 in reductions(cells) else 1)
    pixels, rest = divmod(sizes[_INPUT], width)
    side = math.isqrt(pixels)
    require(
        rest == 0 and side * side == pixels,
        f"{_INPUT} has {sizes[_INPUT]} values, which are not {width} channels of a square image: "
        f"channels={channels} and cells={cells} must be those of the search",
    )
    return side
