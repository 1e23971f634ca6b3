"""The relaxation axis: how architecture parameters become mixing weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ltnas import config as c

Tensors = dict[str, Tensor]
"""One tensor [edges, operations] for each kind of cell."""


class Relaxation(nn.Module):
    """Base of the relaxations: maps architecture parameters, which others own, to mixing weights.

    A relaxation may have state that moves with the run (a temperature) or with the step (noise).
    Both lie in buffers, so that a pass computes the same however often it is repeated.
    """

    def forward(self, parameters: Tensors) -> Tensors:
        """Return the mixing weights of each kind of cell, [edges, operations]."""
        raise NotImplementedError

    def expected(self, parameters: Tensors) -> Tensors:
        """Return the mixing weights without noise, which selection and plots read."""
        # Relaxations without noise have nothing to average over.
        weights: Tensors = self(parameters)
        return weights

    def draw(self, generator: torch.Generator) -> None:
        """Draw the noise of a step; called once before each, with one seed on all ranks."""

    def set_progress(self, progress: float) -> None:
        """Update what depends on the share of the run, in [0, 1), that is over."""


class Softmax(Relaxation):
    """The operations of an edge share a weight of one (DARTS, equation 2)."""

    def forward(self, parameters: Tensors) -> Tensors:
        """Return softmax over the operations of each edge."""
        return {kind: torch.softmax(values, dim=-1) for kind, values in parameters.items()}


class Sigmoid(Relaxation):
    """Each operation has a gate of its own (FairDARTS; arXiv 2406.16949, equation 5)."""

    def forward(self, parameters: Tensors) -> Tensors:
        """Return the sigmoid of every parameter."""
        return {kind: torch.sigmoid(values) for kind, values in parameters.items()}


def build_relaxation(config: c.Relaxation) -> Relaxation:
    """Build the module of a value on the relaxation axis.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.Softmax():
            return Softmax()
        case c.Sigmoid():
            return Sigmoid()
        case _:
            raise TypeError(f"{config} is not a value on the relaxation axis")


def initial_parameters(
    deviation: float, kinds: tuple[str, ...], edges: int, operations: int
) -> nn.ParameterDict:
    """Draw architecture parameters from a normal distribution of mean 0.

    Args:
        deviation: standard deviation.
        kinds: kinds of cell, each with parameters of its own.
        edges: number of edges of a cell.
        operations: number of candidate operations of an edge.

    Returns:
        Parameters by kind of cell, [edges, operations].
    """
    return nn.ParameterDict(
        # The order of the kinds is the order of random draws, and so part of what a seed means.
        {kind: nn.Parameter(deviation * torch.randn(edges, operations)) for kind in kinds}
    )
