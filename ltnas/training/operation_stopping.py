"""Early stopping of single candidate operations (OLES, Jiang et al. 2023)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ltnas import config as c
from ltnas.axes.differentiation import Tensors
from ltnas.models.sources import Source
from ltnas.models.stacked import Convolutions


class Watched(NamedTuple):
    """Weights of an operation on several edges, which are slices of stacked tensors."""

    edges: int
    """Number of stacked edges."""
    names: tuple[str, ...]
    """Names of the tensors, each [edges * filters, ...]."""


def watched_operations(learner: nn.Module) -> list[Watched]:
    """Return the convolutions among the candidate operations of a supernet.

    Args:
        learner: module that contains the supernet.
    """
    return [
        Watched(
            edges=len(source.targets[name]),
            names=tuple(
                f"{prefix}.candidates.{name}.{inner}" for inner, _ in candidate.named_parameters()
            ),
        )
        for prefix, source in learner.named_modules()
        if isinstance(source, Source)
        for name, candidate in source.candidates.items()
        if isinstance(candidate, Convolutions)
    ]


def similarities(
    training: Tensors, validation: Tensors, watched: list[Watched], comparison: str
) -> tuple[Tensor, Tensor]:
    """Return the similarity of two gradients of each operation, and where there is one.

    Args:
        training: gradients on the training batch by the names of weights.
        validation: gradients on the architecture's batch.
        watched: operations.
        comparison: `gradient` for the cosine between both, or `sum` for that between the first and
            the sum of both; see `ltnas.config.Oles`.

    Returns:
        Cosines over all weights of an operation, [operations], and True where neither gradient is
        0, [operations].
    """
    squares = _products(training, training, watched)
    other_squares = _products(validation, validation, watched)
    dots = _products(training, validation, watched)
    defined = (squares > 0) & (other_squares > 0)
    match comparison:
        case "gradient":
            pass
        case "sum":
            other_squares = (squares + 2 * dots + other_squares).clamp(min=0)
            dots = squares + dots
        case _:
            raise ValueError(f"{comparison} is not a comparison of gradients")
    # Two roots, because a product of squares can be too small for a float.
    sizes = squares.sqrt() * other_squares.sqrt()
    return torch.where(sizes > 0, dots / sizes.clamp(min=1e-30), 0.0), defined


def _products(left: Tensors, right: Tensors, watched: list[Watched]) -> Tensor:
    """Return the scalar product of two gradients of each operation, [operations]."""
    found = []
    for edges, names in watched:
        # [edges] of each tensor, [edges * filters, ...]
        parts = [
            (left[name] * right[name]).unflatten(0, (edges, -1)).flatten(1).sum(1) for name in names
        ]
        found.append(torch.stack(parts).sum(0))
    return torch.cat(found)


class OperationStopping(nn.Module):
    """Which operations are frozen, and the similarities by which others will be.

    An operation is one of one edge of one cell. Its cosine is averaged over windows of a number of
    steps, one after another, and the operation is frozen for good after a window whose mean is
    below the threshold. All state is in buffers: checkpoints have it, steps that are recorded
    update it in place, and on all ranks it is the same as the gradients are averages.

    Args:
        watched: operations, see `watched_operations`.
        steps: number of steps of a window.
        threshold: smallest mean cosine of an operation that goes on learning.
        comparison: `sum` or `gradient`, see `ltnas.config.Oles`.
    """

    frozen: Tensor
    similarity: Tensor
    measured: Tensor

    def __init__(
        self, watched: list[Watched], steps: int, threshold: float, comparison: str
    ) -> None:
        super().__init__()
        self.watched, self.steps, self.threshold = watched, steps, threshold
        self.comparison = comparison
        count = sum(edges for edges, _ in watched)
        self.register_buffer("frozen", torch.zeros(count, dtype=torch.bool))
        self.register_buffer("similarity", torch.zeros(count))  # sum of the window
        self.register_buffer("measured", torch.zeros(count))  # steps of the window
        self.validation: Tensors | None = None
        """Gradients on the architecture's batch of the present step; None before there are any."""

    def names(self) -> list[str]:
        """Return the names of all weights that are watched."""
        return [name for _, names in self.watched for name in names]

    def details(self) -> dict[str, int]:
        """Return the column of the history."""
        return {"frozen_operations": int(self.frozen.sum())}

    @contextmanager
    def step(self, weights: Mapping[str, nn.Parameter]) -> Iterator[None]:
        """Keep frozen weights as they are in an optimiser step, which is taken in this context.

        Args:
            weights: weights by name, with the gradients of the training batch.
        """
        self._observe({name: _gradient(weights[name]) for name in self.names()})
        masks = self.frozen_weights(weights)
        before = {name: weights[name].detach().clone() for name in masks}
        for name, mask in masks.items():  # before their norm is measured and clipped
            _gradient(weights[name]).masked_fill_(mask, 0.0)
        yield
        # Without a gradient momentum and weight decay would still move them.
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name].copy_(torch.where(mask, before[name], weights[name]))

    def frozen_weights(self, weights: Mapping[str, Tensor]) -> Tensors:
        """Return True for the weights that are frozen, by name.

        Args:
            weights: weights by name.

        Returns:
            Masks that fit the weights, [edges * filters, 1, ...].
        """
        masks = {}
        parts = self.frozen.split([edges for edges, _ in self.watched])
        for (edges, names), part in zip(self.watched, parts, strict=True):
            for name in names:
                shape = weights[name].shape
                filters = part.repeat_interleave(shape[0] // edges)
                masks[name] = filters.view(-1, *(1,) * (len(shape) - 1))
        return masks

    def _observe(self, training: Tensors) -> None:
        """Compare the training gradients of a step with those of the architecture's batch.

        Args:
            training: gradients on the training batch by name.
        """
        if self.validation is None:  # a step without an architecture step, of a warm-up
            return
        similarity, defined = similarities(training, self.validation, self.watched, self.comparison)
        self.validation = None
        # Operations that are not executed have gradients of 0 and no similarity in this step.
        self.similarity += torch.where(defined, similarity, 0.0)
        self.measured += defined
        due = self.measured >= self.steps
        self.frozen |= due & (self.similarity < self.threshold * self.measured)
        self.similarity.masked_fill_(due, 0.0)
        self.measured.masked_fill_(due, 0.0)


def _gradient(weight: nn.Parameter) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def build_operation_stopping(
    config: c.OperationStopping, learner: nn.Module
) -> OperationStopping | None:
    """Build the module of a value on the operation stopping axis; None if nothing is frozen.

    Args:
        config: value on the axis.
        learner: module that contains the supernet.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.NoOperationStopping():
            return None
        case c.Oles():
            return OperationStopping(
                watched_operations(learner), config.steps, config.threshold, config.comparison
            )
        case _:
            raise TypeError(f"{config} is not a value on the operation stopping axis")
