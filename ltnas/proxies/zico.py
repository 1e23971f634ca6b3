"""ZiCo: how large gradients are, compared with their variation over batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, loss, prepared, total, weights

PARTS = 2
"""Number of batches that gradients are compared over, as in the paper's code."""


def zico(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the sum over layers of ln sum over weights of mean |g| / standard deviation of g.

    g are the gradients of the loss on the two halves of the batch (Li et al. 2023).
    Weights whose gradients do not differ are left out, and so are layers without any other.

    Args:
        network: network that maps images to logits.
        batch: labelled images.
        seed: seed of what the network draws.
    """
    with prepared(network, seed) as probe:
        of_parts = [gradients(loss(probe, part), weights(probe)) for part in batch.parts(PARTS)]
    # For each layer its gradients on all parts, [parts, ...].
    ratios = [ratio(torch.stack(layer)) for layer in zip(*of_parts, strict=True)]
    return total(value.log() for value in ratios if value > 0)


def ratio(gradients: Tensor) -> Tensor:
    """Return the sum over weights of mean |g| / deviation, of gradients [parts, ...] of a layer."""
    mean, deviation = gradients.abs().mean(0), gradients.std(0, correction=0)
    varies = deviation > 0
    return (mean[varies] / deviation[varies]).sum()
