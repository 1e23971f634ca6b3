"""Largest eigenvalue of the Hessian of the validation loss in the architecture parameters.

Architectures generalise worse where it is large, and it grows when a search collapses (Zela et
al. 2020, "Understanding and Robustifying Differentiable Architecture Search").
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

ITERATIONS = 12
"""Of Lanczos; the largest of 224 eigenvalues is known to a few per cent by then."""
STEP = 1e-6
"""Length of the step over which gradients are compared. It must be small, and gradients in
float64: over 0.01 a network of ReLU and max pooling passes so many kinks that the eigenvalue
comes out ten times too large."""


def largest_eigenvalue(gradient: Callable[[Tensor], Tensor], at: Tensor, seed: int) -> float:
    """By Lanczos' iteration, with products from central differences of gradients.

    Args:
        gradient: of the loss, at a point [n], float64.
        at: the point.
        seed: of the first direction; the same on all ranks.
    """

    def product(direction: Tensor) -> Tensor:
        step = (STEP * direction).to(at)
        return (gradient(at + step) - gradient(at - step)).cpu() / (2 * STEP)

    start = torch.randn(len(at), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = _tridiagonal(product, start)
    # A loss that is not finite is told where losses are, and with what to try.
    return float(torch.linalg.eigvalsh(found).amax()) if found.isfinite().all() else math.nan


def _tridiagonal(product: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """What a symmetric matrix is on the space that it spans from a vector, [k, k]."""
    basis = [start / start.norm()]
    diagonal: list[Tensor] = []
    beside: list[Tensor] = []
    while True:
        image = product(basis[-1])
        diagonal.append(image @ basis[-1])
        for vector in basis * 2:  # twice: rounding would bring found eigenvalues up again
            image = image - (image @ vector) * vector
        size = image.norm()
        if len(basis) in (ITERATIONS, len(start)) or size < 1e-8:  # what differences can tell
            break
        beside.append(size)
        basis.append(image / size)
    found = torch.diag(torch.stack(diagonal))
    if beside:
        off = torch.stack(beside)
        found += torch.diag(off, 1) + torch.diag(off, -1)
    return found
