"""The regulariser axis: terms on the mixing weights, added in the architecture step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ltnas import config as c

MixingWeights = dict[str, Tensor]
"""Mixing weights by kind of cell, [edges, operations]."""
Regularise = Callable[[MixingWeights], Tensor]


def zero_one_l1(weights: MixingWeights) -> Tensor:
    """Return -mean |w - 1/2| over all operations, edges and kinds (arXiv 2406.16949, eq. 6)."""
    # The slope is largest near 1/2, but 0 at exactly 1/2, where all sigmoid gates start: the
    # objective alone chooses the direction of the first step.
    return -(_flat(weights) - 0.5).abs().mean()


def zero_one_l2(weights: MixingWeights) -> Tensor:
    """Return -mean (w - 1/2)^2 (FairDARTS, equation 5); its slope at the initial 1/2 is zero."""
    return -((_flat(weights) - 0.5) ** 2).mean()


def _flat(weights: MixingWeights) -> Tensor:
    """Return the weights of all kinds of cell as one vector."""
    # [kinds * edges * operations]: one mean over both cells, as in the code of FairDARTS.
    return torch.cat([values.flatten() for values in weights.values()])


def build_regulariser(config: c.Regulariser) -> Regularise | None:
    """Build the weighted term of a value on the regulariser axis; None if nothing is added.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.NoRegulariser():
            return None
        case c.ZeroOneL1():
            return lambda weights: config.weight * zero_one_l1(weights)
        case c.ZeroOneL2():
            return lambda weights: config.weight * zero_one_l2(weights)
        case _:
            raise TypeError(f"{config} is not a value on the regulariser axis")
