"""Fisher pruning: how much removing channels would change the loss."""

from __future__ import annotations

from torch import Tensor, nn

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, layers, loss, prepared, total


def fisher(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the sum over channels c of 1/2 mean_n (sum_ij a_ncij * g_ncij)^2.

    a are the outputs of convolutions and linear layers, and g the gradients of the loss with
    respect to them. The score of a channel is that of Turner et al. (2020); the sum as
    a score of a network, and the choice of layers, are of Abdelfattah et al. (2021).

    Args:
        network: network that maps images to logits.
        batch: labelled images.
        seed: seed of what the network draws.
    """
    outputs: list[Tensor] = []
    with prepared(network, seed) as probe:
        for layer in layers(probe):
            # Modules with hooks are computed without kernels.
            layer.register_forward_hook(lambda layer, inputs, output: outputs.append(output))
        value = loss(probe, batch)
        found = gradients(value, outputs)
    return total(importance(*pair) for pair in zip(outputs, found, strict=True))


def importance(output: Tensor, gradient: Tensor) -> Tensor:
    """Return the sum of the importances of the channels of outputs [B, C, ...]."""
    products = (output * gradient).flatten(2).sum(2) if output.ndim > 2 else output * gradient
    return products.square().mean(0).sum() / 2
