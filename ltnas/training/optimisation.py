"""Optimisers and the weight update that search and retraining share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ltnas.config import ArchitectureOptimiser, WeightOptimiser
from ltnas.distributed.collectives import mean_over_ranks


def weight_optimiser(
    parameters: Iterable[nn.Parameter], config: WeightOptimiser
) -> torch.optim.SGD:
    """SGD with momentum."""
    return torch.optim.SGD(
        parameters,
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.nesterov,
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
    loss: Tensor,
    groups: list[list[nn.Parameter]],
    optimiser: torch.optim.Optimizer,
    clip: float | None,
) -> None:
    """One step down the gradient of `loss`, averaged over ranks.

    Args:
        loss: scalar.
        groups: the optimiser's parameters; the gradient of each group is clipped by itself.
        optimiser: steps, and keeps no gradient.
        clip: largest norm of a group's gradient; None: any.
    """
    set_gradients(loss, groups)
    clipped_step(groups, optimiser, clip)


def set_gradients(loss: Tensor, groups: list[list[nn.Parameter]]) -> None:
    """Give each parameter the gradient of `loss`, averaged over ranks."""
    parameters = [parameter for group in groups for parameter in group]
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    for parameter, gradient in zip(parameters, mean_over_ranks(found), strict=True):
        parameter.grad = gradient


def clipped_step(
    groups: list[list[nn.Parameter]], optimiser: torch.optim.Optimizer, clip: float | None
) -> None:
    """One step down the gradients that parameters have; see `descend`."""
    if clip is not None:
        for group in groups:
            torch.nn.utils.clip_grad_norm_(group, clip)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def average_of(model: nn.Module, decay: float) -> AveragedModel:
    """A copy of a model that follows its weights and statistics: decay old + (1 - decay) new."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def sharpness_aware_descend(
    loss: Tensor,
    again: Callable[[], Tensor],
    groups: list[list[nn.Parameter]],
    optimiser: torch.optim.Optimizer,
    clip: float | None,
    radius: float,
) -> None:
    """One step down the gradient at w + radius g / |g|, g that at w (Foret et al. 2021, eq. 2-4).

    Args:
        loss: a scalar at the current weights.
        again: the same of the same batch, called where the weights have moved.
        groups: see `descend`.
        optimiser: see `descend`.
        clip: see `descend`.
        radius: rho.
    """
    set_gradients(loss, groups)
    weights: list[Tensor] = [parameter.detach() for group in groups for parameter in group]
    uphill = [
        parameter.grad for group in groups for parameter in group if parameter.grad is not None
    ]
    before = [weight.clone() for weight in weights]
    moves = torch._foreach_mul(uphill, radius / (torch.nn.utils.get_total_norm(uphill) + 1e-12))
    torch._foreach_add_(weights, list(moves))
    set_gradients(again(), groups)
    torch._foreach_copy_(weights, before)  # and not less the moves, which would round
    clipped_step(groups, optimiser, clip)
