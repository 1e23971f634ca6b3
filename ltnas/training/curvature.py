"""Measurement of the curvature of the architecture's objective during a search."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.func import functional_call

from ltnas.axes.differentiation import gradients
from ltnas.data.stream import Batch
from ltnas.diagnostics.curvature import largest_eigenvalue
from ltnas.distributed.collectives import mean_over_ranks
from ltnas.objectives import Losses
from ltnas.training.learner import Learner


def measure_curvature(learner: Learner, batch: Batch, seed: int) -> float:
    """Return the largest eigenvalue of the Hessian of the architecture's objective.

    Args:
        learner: search network and objectives, which stay as they are.
        batch: batch of which half is used, as float64 takes twice the memory.
        seed: seed of the first vector of the iteration.
    """
    # float64, because the kernels can be differentiated only once: Hessian-vector products are
    # differences of gradients, and in float32 they need steps over which the gradients of ReLU and
    # max pooling jump.
    moved = copy.deepcopy(learner).double().requires_grad_(False)
    half = batch.first(max(2, len(batch.labels) // 2)).double()
    parameters = {name: value.detach().double() for name, value in learner.architecture().items()}
    # Lanczos iteration works on one vector of all parameters, [sum of their sizes].
    names, sizes = list(parameters), [value.numel() for value in parameters.values()]

    def gradient(at: Tensor) -> Tensor:
        values = {
            name: part.view_as(parameters[name]).requires_grad_()
            for name, part in zip(names, at.detach().split(sizes), strict=True)
        }
        # True selects the objective of the architecture step.
        losses: Losses = functional_call(moved, values, (half, True))
        partials = gradients(losses.objective, values, mean_over_ranks)
        return torch.cat([partials[name].flatten() for name in names])

    at = torch.cat([value.flatten() for value in parameters.values()])
    return largest_eigenvalue(gradient, at, seed)
