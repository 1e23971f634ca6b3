"""SynFlow: the flow through all paths of a network, without data."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, prepared, total, weights


def synflow(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return ln of the sum over weights of |weight * dR/dweight|, with R the sum of the logits.

    R is that of an image of ones, in a network of the absolute values of all parameters (Tanaka et
    al. 2020). Normalisations are left out and numbers are float64, as in the code of
    Abdelfattah et al. (2021); the logarithm is that of NASLib, since sums of deep networks differ
    by many orders of magnitude. It is minus infinity if no path leads from the image to a logit.

    Args:
        network: network that maps images to logits.
        batch: images, of which only the size is used.
        seed: seed of what the network draws.
    """
    with prepared(network, seed) as probe:
        output = flow_output(probe, batch.images)
        of_layers = weights(probe)
        flows = gradients(output, of_layers)
    pairs = zip(of_layers, flows, strict=True)
    flow = total((weight * gradient).abs().sum() for weight, gradient in pairs)
    return math.log(flow) if flow > 0 else -math.inf


def flow_output(probe: nn.Module, images: Tensor) -> Tensor:
    """Return R, the sum of the logits of an image of ones; the network is changed as R says.

    Args:
        probe: network of `prepared`.
        images: images of the size of the image of ones, [B, 3, H, W].
    """
    probe.double()
    remove_normalisations(probe)
    with torch.no_grad():
        for parameter in probe.parameters():
            parameter.abs_()
    output: Tensor = probe(torch.ones_like(images[:1], dtype=torch.float64)).sum()
    return output


def remove_normalisations(network: nn.Module) -> None:
    """Replace all batch normalisations inside of a network by the identity."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, nn.Identity())
