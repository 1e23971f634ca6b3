"""Correlations of the gradients that images have in a network."""

from __future__ import annotations

import torch
from torch import nn

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, prepared, settle_statistics

SHIFT = 1e-5
"""k, added to eigenvalues, whose logarithm and reciprocal must exist."""


def jacov(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return -sum over eigenvalues v of ln(v + k) + 1 / (v + k), for k = 1e-5.

    The eigenvalues are those of the correlations between images, [B, B], of the gradient of the sum
    of all logits with respect to the pixels (Mellor et al. 2020, version 1 of arXiv 2006.04647). It
    is largest if the gradients of different images are uncorrelated. Unlike in the published code,
    the statistics of normalisations are fixed (see `settle_statistics`). NaN if an image has no
    gradient.

    Args:
        network: network that maps images to logits.
        batch: images; labels are not used.
        seed: seed of what the network draws.
    """
    with prepared(network, seed) as probe:
        settle_statistics(probe, batch.images)
        images = batch.images.clone().requires_grad_()
        (jacobian,) = gradients(probe(images).sum(), [images])
        correlations = torch.corrcoef(jacobian.flatten(1).double())
        if not correlations.isfinite().all():
            return float("nan")
        shifted = torch.linalg.eigvalsh(correlations) + SHIFT
        return -float((shifted.log() + 1 / shifted).sum())
