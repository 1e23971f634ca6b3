"""The regulariser axis: terms on the architecture, added to its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ltnas import config as c
from ltnas.axes.dirichlet import concentrations, kl_to_uniform
from ltnas.axes.masks import EdgeMasks
from ltnas.space.cost import Cost

Tensors = Mapping[str, Tensor]
"""A tensor [edges, operations] for each kind of cell."""
Regularise = Callable[[Tensors, Tensors, EdgeMasks], Tensor]
"""Function of the architecture parameters and of the mixing weights, by kind of cell, and of the
operations that the edges have."""
Costs = Mapping[str, list[list[list[Cost]]]]
"""Cost of each operation by kind of cell, [cells][edges][operations]; see `supernet_costs`."""
NO_COSTS: Costs = {}
"""Costs for the values that read none."""


def zero_one_l1(weights: Tensors, masks: EdgeMasks) -> Tensor:
    """Return -mean |w - 1/2| over all operations, edges and kinds (arXiv 2406.16949, eq. 6)."""
    # The slope is largest near 1/2, but 0 at exactly 1/2, where all sigmoid gates start: the
    # objective alone chooses the direction of the first step.
    return -(_flat(weights, masks) - 0.5).abs().mean()


def zero_one_l2(weights: Tensors, masks: EdgeMasks) -> Tensor:
    """Return -mean (w - 1/2)^2 (FairDARTS, equation 5); its slope at the initial 1/2 is zero."""
    return -((_flat(weights, masks) - 0.5) ** 2).mean()


def dirichlet_divergence(parameters: Tensors, masks: EdgeMasks) -> Tensor:
    """Return the sum over edges and kinds of the divergence from Dirichlet(1) (DrNAS)."""
    divergences = [
        kl_to_uniform(concentrations(values), masks.mask(kind)).sum()
        for kind, values in parameters.items()
    ]
    return torch.stack(divergences).sum()


class ExpectedCost(nn.Module):
    """Weighted logarithms of what the architecture is expected to cost (SNAS).

    weight * sum over kinds of cell of the mean over cells of the sum over edges of the mean over
    parameters, multiply-accumulates and accesses of log(sum over operations of weight * cost), as
    in the code of Xie et al. (2019).

    Args:
        weight: factor of the term.
        costs: costs of the supernet's operations.
    """

    def __init__(self, weight: float, costs: Costs) -> None:
        super().__init__()
        self.weight = weight
        # A short stack of cells may have one kind alone.
        self.kinds = tuple(costs)
        assert self.kinds
        for kind in self.kinds:
            # [cells, edges, operations, 3]; not saved, as the configuration gives them again.
            values = torch.tensor(costs[kind], dtype=torch.float32)
            self.register_buffer(kind, values, persistent=False)

    def forward(self, _: Tensors, weights: Tensors, masks: EdgeMasks) -> Tensor:
        """Return the term for the mixing weights of each kind of cell, a scalar."""
        terms = []
        for kind in self.kinds:
            expected = (weights[kind][..., None] * self.get_buffer(kind)).sum(-2)
            # [cells, edges, 3]; an edge of `none` or of pools alone has parts that cost nothing.
            logarithms = expected.clamp(min=1.0).log()
            terms.append(logarithms.mean(-1).sum(-1).mean())
        return self.weight * torch.stack(terms).sum()


def _flat(weights: Tensors, masks: EdgeMasks) -> Tensor:
    """Return the weights of existing operations in all kinds of cell as one vector."""
    # [kinds * edges * operations]: one mean over both cells, as in the code of FairDARTS.
    return torch.cat([values.flatten() for values in masks.existing(dict(weights)).values()])


def build_regulariser(config: c.Regulariser, costs: Costs = NO_COSTS) -> Regularise | None:
    """Build the weighted term of a value on the regulariser axis; None if nothing is added.

    Args:
        config: value on the axis.
        costs: costs of the supernet's operations, for the value that reads them.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.NoRegulariser():
            return None
        case c.ZeroOneL1():
            return lambda _, weights, masks: config.weight * zero_one_l1(weights, masks)
        case c.ZeroOneL2():
            return lambda _, weights, masks: config.weight * zero_one_l2(weights, masks)
        case c.DirichletDivergence():
            return lambda parameters, _, masks: (
                config.weight * dirichlet_divergence(parameters, masks)
            )
        case c.Cost():
            return ExpectedCost(config.weight, costs)
        case _:
            raise TypeError(f"{config} is not a value on the regulariser axis")
