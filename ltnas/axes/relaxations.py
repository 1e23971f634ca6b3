"""The relaxation axis: how architecture parameters become mixing weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Tensors = dict[str, Tensor]
"""One tensor [edges, operations] for each kind of cell."""


class Relaxation(nn.Module):
    """Base of the relaxations: maps architecture parameters, which others own, to mixing weights.

    A relaxation may have state that moves with the run (a temperature) or with the step (noise).
    Both lie in buffers, so that a pass computes the same however often it is repeated.
    """

    one_operation = False
    """True if a single operation of each edge has a weight, so that no other is computed."""
    has_parameters = True
    """False if there are no architecture parameters, but measurements of the supernet."""

    def forward(self, parameters: Tensors) -> Tensors:
        """Return the mixing weights of each kind of cell, [edges, operations].

        In training they have the noise of the step, and outside of it none.
        """
        raise NotImplementedError

    def expected(self, parameters: Tensors) -> Tensors:
        """Return the mixing weights without noise, which plots show."""
        # Relaxations without noise have nothing to average over.
        weights: Tensors = self(parameters)
        return weights

    def strengths(self, parameters: Tensors) -> Tensors:
        """Return what selection ranks, [edges, operations]: by default the expected weights."""
        return self.expected(parameters)

    def draw(self, generator: torch.Generator) -> None:
        """Draw the noise of a step; called once before each, with one seed on all ranks."""

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Update what depends on the number of the epoch, from 0, and that of all epochs."""

    def measured(self) -> Tensors:
        """Return the measurements that mixing weights depend on, [edges, operations]."""
        return {}

    def set_measured(self, values: Tensors) -> None:
        """Replace the measurements, at the start of an epoch and at the end of each."""

    def details(self) -> dict[str, float]:
        """Return columns of the history that describe the state of the epoch."""
        return {}


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


def initial_parameters(deviation: float, kinds: tuple[str, ...], *shape: int) -> nn.ParameterDict:
    """Draw architecture parameters from a normal distribution of mean 0.

    Args:
        deviation: standard deviation.
        kinds: kinds of cell, each with parameters of its own.
        shape: shape of each kind's parameters, such as edges and operations.

    Returns:
        Parameters by kind of cell.
    """
    return nn.ParameterDict(
        # The order of the kinds is the order of random draws, and so part of what a seed means.
        # Pairs, because the names of a plain dictionary would be sorted.
        [(kind, nn.Parameter(deviation * torch.randn(shape))) for kind in kinds]
    )
