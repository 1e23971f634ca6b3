"""The perturbation axis: smoothed mixing weights in the weight step (Chen and Hsieh 2020).

Weights that fit mixing weights in a neighbourhood make the loss a smoother function of the
architecture parameters (SmoothDARTS, arXiv 2002.05283, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ltnas import config as c
from ltnas.axes.differentiation import Average, gradients
from ltnas.axes.noise import Noise
from ltnas.axes.relaxations import Tensors

MixingLoss = Callable[[Tensors], Tensor]
"""Training loss as a function of the mixing weights by kind of cell, each [edges, operations]."""


def within_range(weights: Tensor, change: Tensor, sums_to_one: bool) -> Tensor:
    """Return changed mixing weights in the range of their relaxation, [edges, operations].

    Args:
        weights: mixing weights of the relaxation, [edges, operations].
        change: what is added to them, [edges, operations].
        sums_to_one: True if the weights of an edge are divided by their sum.
    """
    moved = (weights + change).clamp(0, 1)
    if not sums_to_one:
        return moved
    total = moved.sum(-1, keepdim=True)
    # An edge that would lose the weights of all its operations keeps what it had.
    return torch.where(total > 0, moved / total.clamp(min=1e-12), weights)


class Reach(NamedTuple):
    """Limits of the moves of mixing weights.

    Args:
        first: epsilon of the first epoch.
        last: epsilon at the end of the search.
        sums_to_one: True if the relaxation's weights of an edge sum to one.
    """

    first: float
    last: float
    sums_to_one: bool


def fill_uniform(noise: Tensor, generator: torch.Generator) -> None:
    """Overwrite a tensor with uniform variables in [-1, 1]."""
    noise.uniform_(-1, 1, generator=generator)


class Perturbation(nn.Module):
    """Base of the perturbations; draws a start within [-epsilon, epsilon] for every weight.

    Args:
        noise: uniform noise in [-1, 1] for every mixing weight.
        reach: how far mixing weights are moved.
    """

    epsilon: Tensor

    def __init__(self, noise: Noise, reach: Reach) -> None:
        super().__init__()
        self.noise, self.reach = noise, reach
        # Filled in place, because a recorded step reads it; no checkpoint has it.
        self.register_buffer("epsilon", torch.tensor(float(reach.first)), persistent=False)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Set epsilon of an epoch, from 0; it reaches its last value when all epochs are over."""
        first, last, _ = self.reach
        self.epsilon.fill_(first + (last - first) * epoch / epochs)

    def draw(self, generator: torch.Generator) -> None:
        """Draw noise for every mixing weight; once before each step."""
        self.noise.draw(generator)

    def details(self) -> dict[str, float]:
        """Return the column of the history."""
        return {"perturbation": float(self.epsilon)}

    def forward(
        self, weights: Tensors, existing: Tensors, loss: MixingLoss, average: Average
    ) -> Tensors:
        """Return the perturbed mixing weights of a weight step, [edges, operations].

        Args:
            weights: mixing weights of the relaxation by kind of cell, without a gradient.
            existing: 1 for the operations that an edge has and 0 for masked ones, which stay as
                they are.
            loss: training loss of the step.
            average: average of gradients over ranks.
        """
        moved = self.moved(weights, existing, loss, average)
        # Without epsilon the weights themselves: dividing by their sum would round.
        return {
            kind: torch.where(self.epsilon > 0, moved[kind], values)
            for kind, values in weights.items()
        }

    def moved(
        self, weights: Tensors, existing: Tensors, loss: MixingLoss, average: Average
    ) -> Tensors:
        """Return the weights for an epsilon above 0; see `forward`."""
        raise NotImplementedError

    def _start(self, weights: Tensors, existing: Tensors) -> Tensors:
        """Return randomly moved weights."""
        return {
            kind: self._project(values, values + self.epsilon * self.noise(kind), existing[kind])
            for kind, values in weights.items()
        }

    def _project(self, weights: Tensor, point: Tensor, existing: Tensor) -> Tensor:
        """Return the nearest allowed mixing weights to a point, up to their sum.

        Args:
            weights: mixing weights of the relaxation, [edges, operations].
            point: weights that may be too far from them, or out of range, [edges, operations].
            existing: see `forward`.
        """
        change = (point - weights).clamp(-self.epsilon, self.epsilon) * existing
        return within_range(weights, change, self.reach.sums_to_one)


class RandomPerturbation(Perturbation):
    """Uniform noise (SDARTS-RS)."""

    def moved(
        self, weights: Tensors, existing: Tensors, loss: MixingLoss, average: Average
    ) -> Tensors:
        """Return randomly moved weights; the loss plays no part."""
        return self._start(weights, existing)


class AdversarialPerturbation(Perturbation):
    """Projected gradient ascent on the training loss (SDARTS-ADV).

    As in the authors' code it starts at random weights, each step is 2 epsilon / steps times the
    sign of the gradient, and a result with a smaller loss than the unmoved weights is discarded.

    Gradients and losses are averaged over ranks, so that two processes move as one does. But signs
    turn small differences into whole steps. In single precision rounding changes, after a few
    steps, on which side of zero an activation lies, and then signs of small gradients, so that runs
    of one and of two processes drift apart. In double precision they stay together.

    Args:
        noise: uniform noise in [-1, 1] for every mixing weight.
        reach: how far mixing weights are moved.
        steps: number of steps of gradient ascent.
    """

    def __init__(self, noise: Noise, reach: Reach, steps: int) -> None:
        super().__init__(noise, reach)
        self.steps = steps

    def moved(
        self, weights: Tensors, existing: Tensors, loss: MixingLoss, average: Average
    ) -> Tensors:
        """Return the weights that gradient ascent reaches."""
        length = 2 * self.epsilon / self.steps
        point = self._start(weights, existing)
        for _ in range(self.steps):
            leaves = {kind: values.detach().requires_grad_() for kind, values in point.items()}
            slopes = gradients(loss(leaves), leaves, average)
            uphill = {kind: point[kind] + length * slopes[kind].sign() for kind in point}
            point = {
                kind: self._project(values, uphill[kind], existing[kind])
                for kind, values in weights.items()
            }
        with torch.no_grad():
            before, after = average([loss(weights), loss(point)])
        # On the device, because reading the losses would make the host wait.
        return {
            kind: torch.where(after >= before, point[kind], values)
            for kind, values in weights.items()
        }


def build_perturbation(
    config: c.Perturbation,
    edges: int,
    operations: int,
    sums_to_one: bool,
    kinds: Iterable[str] = c.StackedCells.kinds,
) -> Perturbation | None:
    """Build the module of a value on the perturbation axis; None if nothing is perturbed.

    Args:
        config: value on the axis.
        edges: number of edges of a cell.
        operations: number of candidate operations.
        sums_to_one: True if the relaxation's weights of an edge sum to one.
        kinds: kinds of cell of the macro-network.

    Raises:
        TypeError: the value is not on the axis.
    """
    noise = Noise(kinds, (edges, operations), fill_uniform)
    reach = Reach(config.first_epsilon, config.epsilon, sums_to_one)
    match config:
        case c.NoPerturbation():
            return None
        case c.RandomPerturbation():
            return RandomPerturbation(noise, reach)
        case c.AdversarialPerturbation():
            return AdversarialPerturbation(noise, reach, config.steps)
        case _:
            raise TypeError(f"{config} is not a value on the perturbation axis")
