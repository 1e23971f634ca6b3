"""What fits a cell's inputs to it."""

from __future__ import annotations

from torch import nn

from ltnas.models.operations import FactorizedReduce
from ltnas.models.rectified import RectifiedConvNorm
from ltnas.space.layout import CellPlan


def preprocess_before(plan: CellPlan, affine: bool) -> nn.Module:
    """Fits the state of the cell before the previous one to the width and size of this cell."""
    if plan.follows_reduction:
        return FactorizedReduce(plan.before_previous, plan.channels, affine)
    return RectifiedConvNorm(plan.before_previous, plan.channels, affine)


def preprocess_previous(plan: CellPlan, affine: bool) -> nn.Module:
    """Fits the previous cell's state to the width of this cell."""
    return RectifiedConvNorm(plan.previous, plan.channels, affine)
