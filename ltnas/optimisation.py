"""Optimisers and the weight update that search and retraining share."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ltnas.config import ArchitectureOptimiser, WeightOptimiser
from ltnas.distributed import mean_over_ranks


def weight_optimiser(
    parameters: Iterable[nn.Parameter], config: WeightOptimiser
) -> torch.optim.SGD:
    """SGD with momentum."""
    return torch.optim.SGD(
        parameters,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )


def architecture_optimiser(
    parameters: Iterable[nn.Parameter], config: ArchitectureOptimiser
) -> torch.optim.Adam:
    """Adam; its weight decay is coupled (added to the gradient), as in DARTS."""
    return torch.optim.Adam(
        parameters,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
    )


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def descend(
    loss: Tensor, groups: list[list[nn.Parameter]], optimiser: torch.optim.Optimizer, clip: float
) -> None:
    """One step down the gradient of `loss`, averaged over ranks.

    Args:
        loss: scalar.
        groups: the optimiser's parameters; the gradient of each group is clipped by itself.
        optimiser: steps, and keeps no gradient.
        clip: largest norm of a group's gradient.
    """
    parameters = [parameter for group in groups for parameter in group]
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    for parameter, gradient in zip(parameters, mean_over_ranks(found), strict=True):
        parameter.grad = gradient
    for group in groups:
        torch.nn.utils.clip_grad_norm_(group, clip)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
