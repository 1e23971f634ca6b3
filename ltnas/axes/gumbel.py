"""Samples of the Gumbel-softmax distribution as mixing weights (SNAS, GDAS)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ltnas.axes.noise import Noise
from ltnas.axes.relaxations import Relaxation, Tensors


def temperature(first: float, last: float, epoch: int, epochs: int) -> float:
    """Return the temperature of an epoch, linear from the first epoch to the last."""
    return first - (first - last) * epoch / max(epochs - 1, 1)


def fill_gumbel(noise: Tensor, generator: torch.Generator) -> None:
    """Overwrite a tensor with variables of the standard Gumbel distribution."""
    noise.exponential_(generator=generator)
    # An exponential variable can be rounded to 0, whose logarithm is not finite.
    noise.clamp_(min=torch.finfo(noise.dtype).tiny).log_().neg_()


class Gumbel(Relaxation):
    """softmax((log softmax(parameters) + Gumbel noise) / temperature) (SNAS, Xie et al. 2019).

    Outside of training the probabilities of the operations.

    Args:
        kinds: kinds of cell.
        edges: number of edges of a cell.
        operations: number of candidate operations.
        first: temperature of the first epoch.
        last: temperature of the last epoch.
    """

    temperature: Tensor

    def __init__(
        self, kinds: Iterable[str], edges: int, operations: int, *, first: float, last: float
    ) -> None:
        super().__init__()
        self.first, self.last = first, last
        self.register_buffer("temperature", torch.tensor(float(first)), persistent=False)
        self.noise = Noise(kinds, (edges, operations), fill_gumbel)

    def draw(self, generator: torch.Generator) -> None:
        """Draw standard Gumbel noise for each operation of each edge."""
        self.noise.draw(generator)

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Set the temperature of the epoch."""
        self.temperature.fill_(temperature(self.first, self.last, epoch, epochs))

    def details(self) -> dict[str, float]:
        """Return the temperature."""
        return {"temperature": float(self.temperature)}

    def perturbed(self, kind: str, parameters: Tensor) -> Tensor:
        """Return log-probabilities plus noise, [edges, operations], whose largest is a sample."""
        sample: Tensor = torch.log_softmax(parameters, -1) + self.noise(kind)
        return sample

    def forward(self, parameters: Tensors) -> Tensors:
        """Return the samples of the step, or outside of training the probabilities."""
        if not self.training:
            return self.expected(parameters)
        return {
            kind: torch.softmax(self.perturbed(kind, values) / self.temperature, -1)
            for kind, values in parameters.items()
        }

    def expected(self, parameters: Tensors) -> Tensors:
        """Return the probability of each operation to be the sample."""
        return {kind: torch.softmax(values, -1) for kind, values in parameters.items()}


def one_hot(values: Tensor) -> Tensor:
    """Return 1 at the largest value of each row and 0 elsewhere, [edges, operations]."""
    return torch.zeros_like(values).scatter_(-1, values.argmax(-1, keepdim=True), 1.0)


def straight_through(sample: Tensor, soft: Tensor) -> Tensor:
    """Return the values of the sample with the gradient of `soft` (GDAS)."""
    return sample + (soft - soft.detach())


def reinmax(sample: Tensor, parameters: Tensor, temperature: Tensor) -> Tensor:
    """Return the values of the sample with the gradient of ReinMax (Liu et al. 2023).

    Args:
        sample: one-hot samples of softmax(parameters), [edges, operations].
        parameters: logits, [edges, operations].
        temperature: of the softmax that is averaged with the sample.
    """
    probabilities = torch.softmax(parameters, -1)
    average = (sample + torch.softmax(parameters / temperature, -1)) / 2
    # A softmax whose values are the average and whose logits move with the parameters.
    logits = (average.log() - parameters).detach() + parameters
    # Operations that an edge does not have: the difference of two infinities is no number.
    moved = torch.softmax(logits.masked_fill(parameters.isneginf(), -torch.inf), -1)
    return straight_through(sample, 2 * moved - probabilities / 2)


class HardGumbel(Gumbel):
    """One operation of each edge, drawn with its probability (GDAS, Dong and Yang 2019).

    Outside of training the most probable operation.

    Args:
        kinds: kinds of cell.
        edges: number of edges of a cell.
        operations: number of candidate operations.
        first: temperature of the first epoch.
        last: temperature of the last epoch.
        estimator: gradient of a sample, `straight_through` or `reinmax`.
    """

    one_operation = True

    def __init__(
        self,
        kinds: Iterable[str],
        edges: int,
        operations: int,
        *,
        first: float,
        last: float,
        estimator: str,
    ) -> None:
        super().__init__(kinds, edges, operations, first=first, last=last)
        self.estimator = estimator

    def forward(self, parameters: Tensors) -> Tensors:
        """Return one-hot weights, whose gradient reaches all operations of an edge."""
        if not self.training:
            return {kind: one_hot(values) for kind, values in parameters.items()}
        return {kind: self._sample(kind, values) for kind, values in parameters.items()}

    def _sample(self, kind: str, parameters: Tensor) -> Tensor:
        perturbed = self.perturbed(kind, parameters)
        sample = one_hot(perturbed.detach())
        match self.estimator:
            case "straight_through":
                return straight_through(sample, torch.softmax(perturbed / self.temperature, -1))
            case "reinmax":
                return reinmax(sample, parameters, self.temperature)
            case name:
                raise ValueError(f"{name} is not an estimator of gradients")
