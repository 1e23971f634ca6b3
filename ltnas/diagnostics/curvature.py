"""Largest eigenvalue of the Hessian of the validation loss w.r.t. the architecture parameters.

Architectures with a large eigenvalue generalise worse, and the eigenvalue grows when a search
collapses (Zela et al. 2020, "Understanding and Robustifying Differentiable Architecture Search").
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

ITERATIONS = 12
"""Number of Lanczos iterations; enough for the largest of 224 eigenvalues to a few per cent."""
STEP = 1e-6
"""Step length of the central differences of gradients. It must be small, and gradients must be in
float64: with a step of 0.01 a network with ReLU and max pooling crosses so many kinks that the
eigenvalue is overestimated tenfold."""


def largest_eigenvalue(gradient: Callable[[Tensor], Tensor], at: Tensor, seed: int) -> float:
    """Return the largest eigenvalue of a Hessian, computed by Lanczos iteration.

    Hessian-vector products are central differences of gradients.

    Args:
        gradient: function that returns the gradient of the loss at a point, both [n], float64.
            What it draws from torch's global generator is the same in each call.
        at: point at which the Hessian is taken, [n].
        seed: seed of the first direction, which must be equal on all ranks.

    Returns:
        The eigenvalue; NaN if a gradient is not finite.
    """

    def product(direction: Tensor) -> Tensor:
        step = (STEP * direction).to(at)
        return (repeatable(at + step) - repeatable(at - step)).cpu() / (2 * STEP)

    def repeatable(point: Tensor) -> Tensor:
        # With other noise (operation `noise`) in each pass, a difference would be that of the
        # noise. The generator is left as it was, so that a measurement changes no run.
        with torch.random.fork_rng([at.device] if at.is_cuda else []):
            torch.manual_seed(seed)
            return gradient(point)

    start = torch.randn(len(at), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    matrix = _tridiagonal(product, start)
    # No error here: the module that measures losses reports one that is not finite, with advice.
    return float(torch.linalg.eigvalsh(matrix).amax()) if matrix.isfinite().all() else math.nan


def _tridiagonal(product: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return the projection of a symmetric matrix onto a Krylov space, tridiagonal, [k, k].

    Args:
        product: function that multiplies the matrix by a vector [n].
        start: first vector of the Krylov space, [n].
    """
    basis = [start / start.norm()]
    diagonal: list[Tensor] = []
    off_diagonal: list[Tensor] = []
    while True:
        image = product(basis[-1])
        diagonal.append(image @ basis[-1])
        # Orthogonalise twice; otherwise rounding makes eigenvalues appear more than once.
        for vector in basis * 2:
            image = image - (image @ vector) * vector
        size = image.norm()
        # Below 1e-8 the remainder is only the error of the differences.
        if len(basis) in (ITERATIONS, len(start)) or size < 1e-8:
            break
        off_diagonal.append(size)
        basis.append(image / size)
    matrix = torch.diag(torch.stack(diagonal))
    if off_diagonal:
        beside = torch.stack(off_diagonal)
        matrix += torch.diag(beside, 1) + torch.diag(beside, -1)
    return matrix
