"""Gradient of a loss through a chain of virtual steps: one engine for all levels of a search.

Levels of optimisation are approximated by one SGD step each, as in DARTS (section 2.3). A stage
moves one variable, such as the weights of a learner, by a step on a loss that may depend on the
architecture and on what earlier stages have moved:

    w_s' = w_s - xi_s (m_s v_s + dL_s/dw_s + wd_s w_s)              s = 1, ..., S, in order

The gradient of an outer loss F(a, w_1', ..., w_S') of the architecture a then follows by a reverse
sweep. With u_s = dF/dw_s', which later stages contribute to,

    dF/da   -=  xi_s  d<dL_s/dw_s, u_s>/da
    dF/dw_j' -= xi_s  d<dL_s/dw_s, u_s>/dw_j'                       j moved before stage s

where both products come from one central difference, as in DARTS (equation 8): gradients of L_s at
w_s + eps u_s and at w_s - eps u_s. Contributions to u_s are summed before its difference is taken,
because the product is linear in u_s. Second-order DARTS is the chain of one stage, first-order
DARTS that of none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ltnas.axes.differentiation import Average, Tensors, detached, gradients, leaves

Values = dict[str, Tensors]
"""Tensors by name of each variable, such as the weights of a learner, by its name."""
ChainLoss = Callable[[Values, Tensors], Tensor]
"""Loss, a scalar, as a function of the variables and of the architecture parameters."""


@dataclass(frozen=True)
class WeightStep:
    """The SGD step that a variable would take from its present momentum.

    A variable that moves more than once in a chain has the same momentum each time.

    Args:
        rate: xi, the learning rate; negative for a step uphill.
        momentum: m.
        weight_decay: wd.
        velocity: momentum buffers v by name; a missing name has none yet.
        frozen: True for elements that the step does not move, by name; None or a missing name: it
            moves all.
    """

    rate: float
    momentum: float
    weight_decay: float
    velocity: Tensors
    frozen: Tensors | None = None


@dataclass(frozen=True)
class Pull:
    """A proximal step towards another variable, after the step of a stage.

    It minimises |w - w'|^2 / 2 + strength |w - t|^2 / 2 for the moved weights w' and the target t:
    w = (w' + strength t) / (1 + strength). Unlike a gradient step on the same penalty it is stable
    for every strength.

    Args:
        target: name of the variable that attracts.
        strength: weight of the penalty times twice the learning rate, 0 or more.
        names: names of the tensors that are pulled; the target has the same names.
    """

    target: str
    strength: float
    names: frozenset[str]


@dataclass(frozen=True)
class Stage:
    """A virtual step.

    Args:
        moves: name of the variable that is moved.
        loss: loss that the step descends.
        step: the step.
        pull: attraction to another variable after the step; None: there is none.
        local: True if every rank has a variable of its own, such as a change of its images. Its
            gradients are not averaged, and its loss must be a sum over images, not a mean.
    """

    moves: str
    loss: ChainLoss
    step: WeightStep
    pull: Pull | None = None
    local: bool = False


@dataclass(frozen=True)
class Exchange:
    """Exchange of gradients between ranks.

    Args:
        average: average of tensors over ranks.
        ranks: number of ranks.
        local: names of the variables of which every rank has its own.
    """

    average: Average
    ranks: int
    local: frozenset[str]

    def averaged(self, slopes: dict[tuple[str, str], Tensor]) -> dict[tuple[str, str], Tensor]:
        """Return gradients by variable and tensor, averaged for those that ranks share."""
        shared = [key for key in slopes if key[0] not in self.local]
        averages = self.average([slopes[key] for key in shared])
        return slopes | dict(zip(shared, averages, strict=True))

    def norm(self, variable: str, direction: Tensors) -> Tensor:
        """Return the norm of all tensors of a variable together, a scalar in float64."""
        first = next(iter(direction.values()))
        squares = ((d.double() ** 2).sum() for d in direction.values())
        total = sum(squares, first.new_zeros((), dtype=torch.float64))
        if variable in self.local:
            total = self.average([total])[0] * self.ranks
        return torch.sqrt(total)


def chain_gradient(
    stages: Sequence[Stage],
    outer: ChainLoss,
    values: Values,
    architecture: Tensors,
    *,
    perturbation: float,
    average: Average,
    ranks: int = 1,
    depth: int | None = None,
) -> Tensors:
    """Return the gradient of an outer loss after virtual steps, by the architecture's names.

    Args:
        stages: virtual steps, in order.
        outer: loss after all stages.
        values: current values of all variables; they are not changed.
        architecture: architecture parameters by name; they require gradients.
        perturbation: norm of what is added to a variable in a central difference, 0.01 in DARTS.
        average: average of gradients over ranks.
        ranks: number of ranks.
        depth: number of stages, the last ones, that the gradient goes through; those before count
            as constants. None: all.
    """
    # Forward: seen[s] are the variables that stage s finds.
    seen = [{name: detached(tensors) for name, tensors in values.items()}]
    for stage in stages:
        seen.append(seen[-1] | {stage.moves: _moved(stage, seen[-1], architecture, average)})
    first = 0 if depth is None else max(0, len(stages) - depth)

    # The outer loss at the moved variables, by the architecture and by them.
    variables = {stage.moves for stage in stages[first:]}
    exchange = Exchange(average, ranks, frozenset(s.moves for s in stages if s.local))
    found, adjoints = _derivatives(outer, seen[-1], architecture, variables, exchange)

    # The reverse sweep. `adjoints` are derivatives by what the stage in hand leaves.
    for number in reversed(range(first, len(stages))):
        stage, earlier = stages[number], {before.moves for before in stages[first:number]}
        arriving = adjoints.pop(stage.moves)
        if stage.pull is not None:
            arriving, passed = _released(stage.pull, arriving)
            if stage.pull.target in earlier:
                target = adjoints[stage.pull.target]
                adjoints[stage.pull.target] = {
                    name: value + passed.get(name, 0.0) for name, value in target.items()
                }
        # What a step does not move does not depend on the architecture through it.
        direction = _except(stage.step.frozen, arriving)
        by_architecture, by_variables = _step_derivatives(
            stage,
            seen[number],
            architecture,
            earlier,
            direction=direction,
            perturbation=perturbation,
            exchange=exchange,
        )
        found = _minus(found, by_architecture)
        if stage.moves in earlier:  # then the start of the step depends on the architecture, too
            decay = stage.step.rate * stage.step.weight_decay
            adjoints[stage.moves] = {
                name: value - decay * direction[name] for name, value in arriving.items()
            }
        for name in earlier:
            adjoints[name] = _minus(adjoints[name], by_variables[name])
    return found


def _moved(stage: Stage, values: Values, architecture: Tensors, average: Average) -> Tensors:
    """Return the variable of a stage after its step and its pull."""
    step, start = stage.step, values[stage.moves]
    # The architecture is constant here: this pass needs the gradients of the variable alone.
    current = leaves(start)
    loss = stage.loss(values | {stage.moves: current}, detached(architecture))
    slopes = gradients(loss, current, list if stage.local else average)
    # The step of the optimiser, except that the gradient is not clipped (as in the authors' code of
    # DARTS). New tensors instead of changes in place, which would be undone only up to rounding.
    moves = {
        name: step.rate
        * (slopes[name] + step.weight_decay * value + step.momentum * step.velocity.get(name, 0.0))
        for name, value in start.items()
    }
    moves = _except(step.frozen, moves)
    moved = {name: value - moves[name] for name, value in start.items()}
    return moved if stage.pull is None else pulled(moved, values[stage.pull.target], stage.pull)


def pulled(values: Tensors, target: Tensors, pull: Pull) -> Tensors:
    """Return tensors after a proximal step, see `Pull`; others than `pull.names` as they are."""
    share = pull.strength / (1 + pull.strength)
    return {
        name: value + share * (target[name] - value) if name in pull.names else value
        for name, value in values.items()
    }


def _released(pull: Pull, adjoint: Tensors) -> tuple[Tensors, Tensors]:
    """Return derivatives by a variable before its proximal step, and by the target of it."""
    share = pull.strength / (1 + pull.strength)
    passed = {name: share * value for name, value in adjoint.items() if name in pull.names}
    kept = {name: value - passed.get(name, 0.0) for name, value in adjoint.items()}
    return kept, passed


def _derivatives(
    loss: ChainLoss,
    values: Values,
    architecture: Tensors,
    variables: set[str],
    exchange: Exchange,
) -> tuple[Tensors, Values]:
    """Return the gradient of a loss in the architecture and in some of its variables."""
    inputs = {name: leaves(values[name]) for name in sorted(variables)}
    flat = {(name, key): value for name, part in inputs.items() for key, value in part.items()}
    # The keys of the architecture have an empty name of a variable.
    flat |= {("", key): value for key, value in architecture.items()}
    slopes = exchange.averaged(gradients(loss(values | inputs, architecture), flat, list))
    parts: Values = {name: {} for name in ("", *inputs)}
    for (name, key), value in slopes.items():
        parts[name][key] = value
    return parts.pop(""), parts


def _step_derivatives(
    stage: Stage,
    values: Values,
    architecture: Tensors,
    variables: set[str],
    *,
    direction: Tensors,
    perturbation: float,
    exchange: Exchange,
) -> tuple[Tensors, Values]:
    """Return the derivatives of xi <dL/dw, u>, by a central difference of gradients of L.

    The difference replaces a product with second derivatives, which would need a second backward
    pass through the loss.

    Args:
        stage: stage whose step is differentiated.
        values: variables that the stage sees.
        architecture: architecture parameters.
        variables: variables that are differentiated by, beside the architecture.
        direction: u.
        perturbation: norm of what is added to w.
        exchange: exchange with the other ranks.
    """
    # A direction of zero would divide by zero.
    norm = exchange.norm(stage.moves, direction).clamp_min(1e-30)
    epsilon = (perturbation / norm).to(next(iter(direction.values())).dtype)

    def at(sign: float) -> tuple[Tensors, Values]:
        start = values[stage.moves].items()
        moved = {name: value + sign * epsilon * direction[name] for name, value in start}
        return _derivatives(
            stage.loss, values | {stage.moves: moved}, architecture, variables, exchange
        )

    (plus, plus_variables), (minus, minus_variables) = at(1.0), at(-1.0)

    def quotient(above: Tensors, below: Tensors) -> Tensors:
        return {
            name: stage.step.rate * (above[name] - below[name]) / (2 * epsilon) for name in above
        }

    return quotient(plus, minus), {
        name: quotient(plus_variables[name], minus_variables[name]) for name in variables
    }


def _except(frozen: Tensors | None, tensors: Tensors) -> Tensors:
    """Return tensors with zeros for frozen elements."""
    masks = frozen or {}
    return {
        name: tensor.masked_fill(masks[name], 0.0) if name in masks else tensor
        for name, tensor in tensors.items()
    }


def _minus(values: Tensors, subtracted: Tensors) -> Tensors:
    """Return differences of tensors by name."""
    return {name: value - subtracted[name] for name, value in values.items()}
