"""The axis of architecture gradients (DARTS, section 2.3).

Pure functions of losses: `loss(weights, architecture) -> scalar`, with dictionaries of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ltnas import config as c

Tensors = dict[str, Tensor]
Loss = Callable[[Tensors, Tensors], Tensor]
Average = Callable[[Sequence[Tensor]], list[Tensor]]
"""Average of gradients over ranks: `mean_over_ranks`, or `list` for one process."""


def gradients(loss: Tensor, parameters: Tensors, average: Average) -> Tensors:
    """Gradient of the loss with respect to parameters, averaged over ranks.

    It is zero for parameters that the loss does not depend on. No other gradient is computed.
    """
    values = list(parameters.values())
    # Zeros instead of None, because all ranks must exchange the same tensors.
    raw = torch.autograd.grad(loss, values, allow_unused=True, materialize_grads=True)
    return dict(zip(parameters, average(raw), strict=True))


@dataclass(frozen=True)
class WeightStep:
    """The SGD step that the weights would take next.

    Args:
        rate: xi, the current learning rate of the weights.
        momentum: m of the weights' SGD.
        weight_decay: wd of the weights' SGD.
        velocity: momentum buffers v by name; a missing name has none yet.
        frozen: True for weights that the step does not move, by name; None or a missing name: it
            moves all.
    """

    rate: float
    momentum: float
    weight_decay: float
    velocity: Tensors
    frozen: Tensors | None = None


def architecture_gradient(
    config: c.Gradient,
    *,
    training_loss: Loss,
    validation_loss: Loss,
    weights: Tensors,
    architecture: Tensors,
    next_step: Callable[[], WeightStep],
    average: Average,
) -> Tensors:
    """Gradient of the architecture parameters by a value on the gradient axis.

    Args:
        config: value on the axis.
        training_loss: loss on the batch that the next weight step will see.
        validation_loss: loss on the architecture's batch.
        weights: weights by name.
        architecture: architecture parameters by name.
        next_step: describes the next weight step; called only by values that look ahead.
        average: average of gradients over ranks.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.FirstOrder():
            return first_order(validation_loss, weights, architecture, average)
        case c.SecondOrder():
            return second_order(
                training_loss,
                validation_loss,
                weights,
                architecture,
                **vars(next_step()),
                perturbation=config.perturbation,
                average=average,
            )
        case _:
            raise TypeError(f"{config} is not a value on the gradient axis")


def first_order(
    validation_loss: Loss, weights: Tensors, architecture: Tensors, average: Average
) -> Tensors:
    """Gradient of the validation loss at the current weights (DARTS, equation 7 with xi = 0)."""
    return gradients(validation_loss(weights, architecture), architecture, average)


def second_order(
    training_loss: Loss,
    validation_loss: Loss,
    weights: Tensors,
    architecture: Tensors,
    *,
    rate: float,
    momentum: float,
    weight_decay: float,
    velocity: Tensors,
    perturbation: float,
    average: Average,
    frozen: Tensors | None = None,
) -> Tensors:
    """Gradient of the validation loss after one virtual SGD step (DARTS, equations 7 and 8).

    With w' = w - xi (m v + dL_train/dw + wd w), the gradient is

        dL_val(w')/da - xi [dL_train(w+)/da - dL_train(w-)/da] / (2 eps),
        w+- = w +- eps dL_val(w')/dw',  eps = perturbation / |dL_val(w')/dw'|.

    Args:
        training_loss: loss on the batch that the next weight step will see.
        validation_loss: loss on the architecture's batch.
        weights: weights by name; they are not changed.
        architecture: architecture parameters by name; they require gradients.
        rate: xi, the current learning rate of the weights.
        momentum: m of the weights' SGD.
        weight_decay: wd of the weights' SGD.
        velocity: momentum buffers v by name; a missing name has none yet.
        perturbation: numerator of eps, 0.01 in the paper.
        average: average of gradients over ranks.
        frozen: see `WeightStep`.
    """
    # The virtual step w -> w'.
    # The architecture is constant here: this pass needs the gradients of the weights alone.
    fixed = {name: parameter.detach() for name, parameter in architecture.items()}
    current = _leaves(weights)
    step = gradients(training_loss(current, fixed), current, average)
    # The step of the optimiser, except that the gradient is not clipped (as in the authors' code).
    # New tensors instead of changes in place, which would be undone only up to rounding.
    moves = {
        name: rate
        * (step[name] + weight_decay * weight.detach() + momentum * velocity.get(name, 0.0))
        for name, weight in weights.items()
    }
    moves = _except(frozen, moves)
    virtual = _leaves({name: weight.detach() - moves[name] for name, weight in weights.items()})

    # Gradients of the validation loss at w', in the weights and in the architecture.
    grads = gradients(validation_loss(virtual, architecture), virtual | architecture, average)
    # A frozen weight of w' does not depend on the architecture.
    direction = _except(frozen, {name: grads[name] for name in weights})
    # One norm over all weights together; a gradient of zero would divide by zero.
    first = next(iter(direction.values()))
    squares = ((d.double() ** 2).sum() for d in direction.values())
    norm = torch.sqrt(sum(squares, first.new_zeros((), dtype=torch.float64)))
    epsilon = (perturbation / norm.clamp_min(1e-30)).to(first.dtype)

    # Central difference of the training loss's gradient along that direction.
    # The difference replaces the product with a Hessian of weights by architecture parameters,
    # which would need a second backward pass through the training loss.
    def at(sign: float) -> Tensors:
        moved = {
            name: weight.detach() + sign * epsilon * direction[name]
            for name, weight in weights.items()
        }
        return gradients(training_loss(moved, architecture), architecture, average)

    plus, minus = at(1.0), at(-1.0)
    return {
        name: grads[name] - rate * (plus[name] - minus[name]) / (2 * epsilon)
        for name in architecture
    }


def _except(frozen: Tensors | None, tensors: Tensors) -> Tensors:
    """Return tensors with zeros for frozen weights."""
    masks = frozen or {}
    return {
        name: tensor.masked_fill(masks[name], 0.0) if name in masks else tensor
        for name, tensor in tensors.items()
    }


def _leaves(tensors: Tensors) -> Tensors:
    """Return detached tensors that require gradients."""
    return {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}
