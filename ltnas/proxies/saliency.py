"""Proxies of the gradient of the loss: its norm, and its product with the weights."""

from __future__ import annotations

from torch import nn

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, loss, prepared, total, weights


def grad_norm(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the sum over layers of the norm of the loss's gradient (Abdelfattah et al. 2021).

    Args:
        network: network that maps images to logits.
        batch: labelled images.
        seed: seed of what the network draws.
    """
    with prepared(network, seed) as probe:
        found = gradients(loss(probe, batch), weights(probe))
    return total(gradient.norm() for gradient in found)


def snip(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the sum over weights of |weight * gradient of the loss|.

    The score of a weight is that of SNIP (Lee et al. 2019) before it is divided by the sum of all;
    the sum as a score of a network is of Abdelfattah et al. (2021).

    Args:
        network: network that maps images to logits.
        batch: labelled images.
        seed: seed of what the network draws.
    """
    with prepared(network, seed) as probe:
        found = gradients(loss(probe, batch), weights(probe))
    pairs = zip(weights(probe), found, strict=True)
    return total((weight * gradient).abs().sum() for weight, gradient in pairs)
