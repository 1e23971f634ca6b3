"""GraSP: how much removing weights would change the flow of gradients."""

from __future__ import annotations

import torch
from torch import nn

from ltnas.kernels.switch import without_kernels
from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, loss, prepared, total, weights

IMAGES = 16


def grasp(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the sum over weights of -weight * (H g), with Hessian H and gradient g of the loss.

    The score of a weight is that of GraSP (Wang et al. 2020); the sum as a score of a network is of
    Abdelfattah et al. (2021).

    Args:
        network: network that maps images to logits.
        batch: labelled images, of which the first 16 are used: second derivatives of convolutions
            are slow.
        seed: seed of what the network draws.
    """
    # The kernels have no second derivatives.
    with prepared(network, seed) as probe, without_kernels():
        of_layers = weights(probe)
        first = gradients(loss(probe, batch.first(IMAGES)), of_layers, create_graph=True)
        # H g is the gradient of the product of the gradient with itself held constant.
        product = torch.stack([(g * g.detach()).sum() for g in first]).sum()
        second = gradients(product, of_layers)
    pairs = zip(of_layers, second, strict=True)
    return -total((weight * change).sum() for weight, change in pairs)
