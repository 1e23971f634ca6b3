"""Terms on the mixing weights that are added to the objective of the architecture step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ltnas.config import Regulariser, ZeroOneL1, ZeroOneL2

MixingWeights = dict[str, Tensor]
Regularise = Callable[[MixingWeights], Tensor]


def zero_one_l1(weights: MixingWeights) -> Tensor:
    """-mean |w - 1/2| over all operations, edges and kinds of cell (arXiv 2406.16949, eq. 6)."""
    return -(_all(weights) - 0.5).abs().mean()


def zero_one_l2(weights: MixingWeights) -> Tensor:
    """-mean (w - 1/2)^2, flat where the weights start, at 1/2 (FairDARTS, equation 5)."""
    return -((_all(weights) - 0.5) ** 2).mean()


def _all(weights: MixingWeights) -> Tensor:
    return torch.cat([values.flatten() for values in weights.values()])


def build_regulariser(config: Regulariser) -> Regularise | None:
    """The weighted term of a value on the regulariser axis; None: there is none."""
    match config:
        case ZeroOneL1():
            return lambda weights: config.weight * zero_one_l1(weights)
        case ZeroOneL2():
            return lambda weights: config.weight * zero_one_l2(weights)
        case _:
            return None
