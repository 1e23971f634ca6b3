"""Sizes of a network, which every other proxy has to beat."""

from __future__ import annotations

from torch import nn

from ltnas.models.cost import multiply_accumulates, parameter_counts
from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import total, weights


def l2_norm(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the sum over layers of the norm of the weights (Abdelfattah et al. 2021)."""
    return total(weight.norm() for weight in weights(network))


def parameters(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the number of parameters without those of the auxiliary classifier."""
    return float(parameter_counts(network)["parameters"])


def macs(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the number of multiply-accumulates for one image."""
    return float(multiply_accumulates(network, batch.images.shape[-1]))
