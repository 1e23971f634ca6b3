"""The auxiliary skip connection of DARTS- and its decay (Chu et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ltnas import config as c
from ltnas.axes.schedules import half_cosine, linear, quarter_cosine


def _formula(config: c.AuxiliarySkip) -> Callable[[float], float]:
    """Return the decay of a value on the axis as a function of the share of the epochs."""
    match config:
        case c.ConstantSkip():
            return lambda p: 1.0
        case c.LinearSkip():
            return linear
        case c.CosineSkip():
            return lambda p: half_cosine(math.pi * p)
        case c.SlowCosineSkip():
            return quarter_cosine
        case _:
            raise TypeError(f"{config} is not a value on the auxiliary skip axis")


class AuxiliarySkip(nn.Module):
    """Mixing weight of the auxiliary skip connections, the same on all edges.

    Args:
        config: value on the axis, not `none`.
    """

    strength: Tensor

    def __init__(self, config: c.AuxiliarySkip) -> None:
        super().__init__()
        self.first, self.formula = config.strength, _formula(config)
        self.register_buffer("strength", torch.tensor(float(config.strength)), persistent=False)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Set the weight of an epoch, from 0; the linear decay does not reach 0 in the last one."""
        self.strength.fill_(self.first * self.formula(epoch / epochs))


def build_auxiliary_skip(config: c.AuxiliarySkip) -> AuxiliarySkip | None:
    """Build the module of a value on the auxiliary skip axis; None if there is none."""
    return None if isinstance(config, c.NoAuxiliarySkip) else AuxiliarySkip(config)
