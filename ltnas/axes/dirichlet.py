"""Samples of Dirichlet distributions as mixing weights (DrNAS, Chen et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.axes.noise import Noise
from ltnas.axes.relaxations import Relaxation, Tensors

PROPOSALS = 8
"""Proposals for each gamma variable; all are refused with a probability below 1e-9."""
SMALLEST = 1e-4
"""Smallest concentration; elu + 1 rounds to 0 below parameters of about -17."""


def concentrations(parameters: Tensor) -> Tensor:
    """Return elu(parameters) + 1, the concentrations of the Dirichlet distribution of each edge."""
    return (F.elu(parameters) + 1).clamp(min=SMALLEST)


def fill_proposals(noise: Tensor, generator: torch.Generator) -> None:
    """Overwrite a tensor with the noise of gamma variables.

    Args:
        noise: normal variables, uniform variables, both [proposals, edges, operations], and the
            uniform variables that are raised to powers, [1, edges, operations], one after another.
        generator: generator of random numbers.
    """
    noise[:PROPOSALS].normal_(generator=generator)
    # Never 0, whose logarithm is not finite.
    for part in noise[PROPOSALS:].split((PROPOSALS, 1)):
        part.uniform_(torch.finfo(noise.dtype).tiny, 1, generator=generator)


class _Gamma(torch.autograd.Function):
    """Gamma variables of shape 1 or more from given noise (Marsaglia and Tsang 2000).

    The gradient is that of the sample at a constant value of its distribution function (implicit
    reparameterisation, Figurnov et al. 2018).
    """

    @staticmethod
    def forward(ctx: Any, shape: Tensor, normals: Tensor, uniforms: Tensor) -> Tensor:  # noqa: ANN401
        d = shape - 1 / 3  # [edges, operations]
        cubes = (1 + normals / (9 * d).sqrt()) ** 3  # [proposals, edges, operations]
        positive = cubes.clamp(min=torch.finfo(cubes.dtype).tiny)
        bound = normals**2 / 2 + d * (1 - cubes + positive.log())
        accepted = (cubes > 0) & (uniforms.log() < bound)
        # The first proposal that is accepted; without synchronising with the device.
        first = accepted.to(torch.uint8).argmax(0, keepdim=True)
        sample = d * positive.gather(0, first)[0]
        ctx.save_for_backward(shape, sample)
        return sample

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        shape, sample = ctx.saved_tensors
        return gradients[0] * torch._standard_gamma_grad(shape, sample), None, None


class Dirichlet(Relaxation):
    """A sample of Dirichlet(elu(parameters) + 1) for each edge (DrNAS).

    A sample is a vector of gamma variables divided by their sum. Its gradient is pathwise. Outside
    of training the mean of the distribution.

    Args:
        kinds: kinds of cell.
        edges: number of edges of a cell.
        operations: number of candidate operations.
    """

    def __init__(self, kinds: Iterable[str], edges: int, operations: int) -> None:
        super().__init__()
        # Until the first draw it makes a valid sample.
        self.noise = Noise(kinds, (2 * PROPOSALS + 1, edges, operations), fill_proposals, 0.5)

    def draw(self, generator: torch.Generator) -> None:
        """Draw the noise of which gamma variables are made."""
        self.noise.draw(generator)

    def forward(self, parameters: Tensors) -> Tensors:
        """Return the samples of the step, or outside of training the means."""
        if not self.training:
            return self.expected(parameters)
        return {kind: self._sample(kind, values) for kind, values in parameters.items()}

    def _sample(self, kind: str, parameters: Tensor) -> Tensor:
        """Return a sample for each edge, [edges, operations]."""
        shape = concentrations(parameters)
        normals, uniforms, powers = self.noise(kind).split((PROPOSALS, PROPOSALS, 1))
        larger: Tensor = _Gamma.apply(shape + 1, normals, uniforms)
        # Gamma(a) is Gamma(a + 1) times a uniform variable to the power of 1 / a. In logarithms, as
        # small concentrations give values that a float cannot hold.
        logarithms = larger.log() + powers[0].log() / shape
        # The parameters of operations that an edge does not have are minus infinity.
        return torch.softmax(logarithms.masked_fill(parameters.isneginf(), -torch.inf), -1)

    def expected(self, parameters: Tensors) -> Tensors:
        """Return the mean of each Dirichlet distribution."""
        shapes = {
            kind: concentrations(values).masked_fill(values.isneginf(), 0)
            for kind, values in parameters.items()
        }
        return {kind: shape / shape.sum(-1, keepdim=True) for kind, shape in shapes.items()}


def kl_to_uniform(concentration: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the Kullback-Leibler divergence of each Dirichlet distribution from Dirichlet(1).

    Args:
        concentration: [edges, operations].
        mask: True for the operations that the distribution is over, [edges, operations]; None: all.

    Returns:
        Divergences, [edges] (the regulariser of DrNAS).
    """
    there = torch.ones_like(concentration) if mask is None else mask.to(concentration)
    total = (concentration * there).sum(-1, keepdim=True)
    terms = (concentration - 1) * (torch.digamma(concentration) - torch.digamma(total))
    normalisers = torch.lgamma(total[..., 0]) - (torch.lgamma(concentration) * there).sum(-1)
    return normalisers - torch.lgamma(there.sum(-1)) + (terms * there).sum(-1)
