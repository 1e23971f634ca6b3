"""Builders of the values on the axes that shape mixing weights."""

from __future__ import annotations

from collections.abc import Sequence

from ltnas import config as c
from ltnas.axes.dirichlet import Dirichlet
from ltnas.axes.gumbel import Gumbel, HardGumbel
from ltnas.axes.relaxations import Relaxation, Sigmoid, Softmax
from ltnas.axes.stable_rank import StableRank


def build_relaxation(
    config: c.Relaxation,
    edges: int,
    operations: int,
    kinds: Sequence[str] = c.StackedCells.kinds,
) -> Relaxation:
    """Build the module of a value on the relaxation axis.

    Args:
        config: value on the axis.
        edges: number of edges of a cell.
        operations: number of candidate operations.
        kinds: kinds of cell of the macro-network.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.Softmax():
            return Softmax()
        case c.Sigmoid():
            return Sigmoid()
        case c.Dirichlet():
            return Dirichlet(kinds, edges, operations)
        case c.HardGumbel():
            return HardGumbel(
                kinds,
                edges,
                operations,
                first=config.first_temperature,
                last=config.last_temperature,
                estimator=config.estimator,
            )
        case c.Gumbel():
            first, last = config.first_temperature, config.last_temperature
            return Gumbel(kinds, edges, operations, first=first, last=last)
        case c.StableRank():
            return StableRank(kinds, edges, operations, config.temperature)
        case _:
            raise TypeError(f"{config} is not a value on the relaxation axis")


def is_spectral(config: c.WeightNorm) -> bool:
    """Return True if a value on the weight norm axis divides by singular values.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.NoWeightNorm():
            return False
        case c.SpectralNorm():
            return True
        case _:
            raise TypeError(f"{config} is not a value on the weight norm axis")
