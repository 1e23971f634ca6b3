"""How architecture parameters become mixing weights; both [edges, operations]."""

from __future__ import annotations

import torch
from torch import Tensor

from ltnas.config import Relaxation, Sigmoid
from ltnas.models.supernet import Relax


def softmax(parameters: Tensor) -> Tensor:
    """Operations of an edge share a weight of one (DARTS, equation 2)."""
    return torch.softmax(parameters, dim=-1)


def sigmoid(parameters: Tensor) -> Tensor:
    """Each operation has a gate of its own (FairDARTS; arXiv 2406.16949, equation 5)."""
    return torch.sigmoid(parameters)


def build_relaxation(config: Relaxation) -> Relax:
    """The function of a value on the relaxation axis."""
    return sigmoid if isinstance(config, Sigmoid) else softmax
