"""Optimisers and the weight update that search and retraining share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ltnas.config import ArchitectureOptimiser, WeightOptimiser
from ltnas.distributed.collectives import mean_over_ranks

UPDATES = ("foreach", "fused", "capturable")
"""Settings of an optimiser that say how it computes, and are no settings of a run."""
MULTIPLE = "rate_multiple"
"""Key of a group of an optimiser: its rate as a multiple of the scheduled rate."""


def weight_optimiser(
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
    config: WeightOptimiser,
    capturable: bool = False,
) -> torch.optim.SGD:
    """Return SGD with momentum on the weights.

    Args:
        parameters: weights, or groups of weights by `rate_groups`.
        config: settings.
        capturable: True if the steps are recorded; the learning rate is a tensor then.
    """
    # SGD adds weight decay to the gradient before momentum. The virtual steps of `chain_gradient`
    # have the same formula, so that a change here must be made there too.
    return torch.optim.SGD(
        parameters,
        lr=torch.tensor(config.learning_rate) if capturable else config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.nesterov,
        **_few_operations(capturable),
    )


def rate_groups(
    weights: Mapping[str, nn.Parameter], multiples: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return the groups of an optimiser whose rates are multiples of the scheduled rate.

    Args:
        weights: weights by name.
        multiples: multiple of the scheduled rate by the end of a weight's name; all other weights
            have the scheduled rate.
    """
    groups: list[dict[str, Any]] = [{"params": []}]
    for ending, multiple in multiples.items():
        special = [weight for name, weight in weights.items() if name.endswith(ending)]
        groups.append({"params": special, MULTIPLE: multiple})
    of_own = {id(weight) for group in groups for weight in group["params"]}
    groups[0]["params"] = [weight for weight in weights.values() if id(weight) not in of_own]
    return groups


def architecture_optimiser(
    parameters: Iterable[nn.Parameter], config: ArchitectureOptimiser, capturable: bool = False
) -> torch.optim.Adam:
    """Return Adam, with weight decay added to the gradient as in DARTS.

    Args:
        parameters: architecture parameters.
        config: settings.
        capturable: True if the steps are recorded; the learning rate is a tensor then.
    """
    # Not AdamW: its decoupled decay is another quantity than the 1e-3 of DARTS.
    return torch.optim.Adam(
        parameters,
        lr=torch.tensor(config.learning_rate) if capturable else config.learning_rate,
        betas=(config.beta1, config.beta2),
        weight_decay=config.weight_decay,
        capturable=capturable,
        **_few_operations(capturable),
    )


def _few_operations(capturable: bool) -> dict[str, bool]:
    """Return the arguments that make an optimiser update all parameters in few operations."""
    # Only the fused update reads the learning rate on the device. It rounds otherwise than the one
    # of earlier versions of ltnas, which others therefore keep.
    return {"fused": True} if capturable else {"foreach": True}


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group: the given one, or a multiple; see `rate_groups`.

    A rate that is a tensor is filled in place, as a recorded step reads it from the same memory.
    """
    filled = set()
    for group in optimiser.param_groups:
        device, present = group["params"][0].device, group["lr"]
        # The defaults are what the optimiser was built with. A checkpoint of a run on another
        # device brings other ways of updating, and a number or a tensor elsewhere.
        group.update({key: optimiser.defaults[key] for key in UPDATES if key in group})
        own = rate * group.get(MULTIPLE, 1.0)
        if not isinstance(optimiser.defaults["lr"], Tensor):
            group["lr"] = own
        elif (
            isinstance(present, Tensor)
            and present.device == device
            and id(present) not in filled  # new groups share one tensor
        ):
            present.fill_(own)
        else:
            group["lr"] = torch.tensor(own, device=device)
        filled.add(id(group["lr"]))


def place_counters(optimiser: torch.optim.Optimizer) -> None:
    """Move the step counters of a checkpoint to where the optimiser expects them.

    PyTorch leaves them where the run that saved them had them: on the GPU if its steps were
    recorded.
    """
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            state = optimiser.state.get(parameter, {})
            if isinstance(state.get("step"), Tensor):
                device = parameter.device if group.get("capturable") else "cpu"
                state["step"] = state["step"].to(device)


def rate_of(optimiser: torch.optim.Optimizer) -> float:
    """Return the learning rate of the first group."""
    return float(optimiser.param_groups[0]["lr"])


def descend(
    loss: Tensor,
    groups: list[list[nn.Parameter]],
    optimiser: torch.optim.Optimizer,
    clip: float | None,
) -> None:
    """Take one optimiser step on the gradient of the loss, averaged over ranks.

    Args:
        loss: scalar.
        groups: parameters of the optimiser; the gradient of each group is clipped by itself.
        optimiser: takes the step; gradients are None afterwards.
        clip: largest norm of a group's gradient; None: no clipping.
    """
    set_gradients(loss, groups)
    clipped_step(groups, optimiser, clip)


def set_gradients(loss: Tensor, groups: list[list[nn.Parameter]]) -> None:
    """Set the gradient of each parameter to that of the loss, averaged over ranks."""
    # Unlike `backward`, `grad` computes no gradients of other parameters. Parameters that the loss
    # does not depend on get zeros, because all ranks must exchange the same tensors.
    parameters = [parameter for group in groups for parameter in group]
    raw = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    for parameter, gradient in zip(parameters, mean_over_ranks(raw), strict=True):
        parameter.grad = gradient


def clipped_step(
    groups: list[list[nn.Parameter]], optimiser: torch.optim.Optimizer, clip: float | None
) -> None:
    """Clip the gradients that the parameters have, and take one step; see `descend`."""
    if clip is not None:
        for group in groups:
            torch.nn.utils.clip_grad_norm_(group, clip, foreach=True)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def average_of(model: nn.Module, decay: float) -> AveragedModel:
    """Return a moving average of weights and statistics: decay * old + (1 - decay) * new."""
    # Without `use_buffers` the average would be tested with the running statistics of the current
    # weights.
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def sharpness_aware_descend(
    loss: Tensor,
    again: Callable[[], Tensor],
    groups: list[list[nn.Parameter]],
    optimiser: torch.optim.Optimizer,
    clip: float | None,
    radius: float | Tensor,
) -> None:
    """Take a step by the gradient at w + radius g / |g| (Foret et al. 2021, equations 2 to 4).

    Args:
        loss: scalar at the current weights w, whose gradient is g.
        again: computes the loss of the same batch at the moved weights.
        groups: parameters of the optimiser, in groups that are clipped apart.
        optimiser: takes the step; gradients are None afterwards.
        clip: largest norm of a group's gradient; None: no clipping.
        radius: rho; a tensor if recorded steps have to read it.
    """
    # Move the weights uphill by the radius.
    set_gradients(loss, groups)
    weights: list[Tensor] = [parameter.detach() for group in groups for parameter in group]
    uphill = [
        parameter.grad for group in groups for parameter in group if parameter.grad is not None
    ]
    before = [weight.clone() for weight in weights]
    # One norm over all groups; 1e-12 avoids a division by zero.
    moves = torch._foreach_mul(uphill, radius / (torch.nn.utils.get_total_norm(uphill) + 1e-12))
    torch._foreach_add_(weights, list(moves))
    # The gradient there, applied at the old weights. These are copied back, because subtracting
    # the moves would round.
    set_gradients(again(), groups)
    torch._foreach_copy_(weights, before)
    clipped_step(groups, optimiser, clip)
