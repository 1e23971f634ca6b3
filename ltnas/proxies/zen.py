"""Zen-score: how much the features of random images change with small changes of the images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ltnas.kernels.switch import without_kernels
from ltnas.models.branches import BranchedModel
from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import layers, normalisations, prepared

IMAGES = 16
CHANGE = 0.01
REPEATS = 4
"""Number of random networks over which the mean is taken; the paper's code takes 32."""


def zen(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return ln E |f(x) - f(x + 0.01 e)| + sum over normalisations of ln sqrt(mean variance).

    f are the features before they are pooled, |.| is the sum of absolute values, x and e are
    standard normal, and so are the weights of all convolutions. The second term makes up for
    normalisations, which hide the scale of what they read; the mean is over channels (Lin et al.
    2021, algorithm 1). A network that is no `BranchedModel` has its logits for features.

    Args:
        network: network that maps images to logits; its weights are not used.
        batch: images, of which only the size is used.
        seed: seed of weights and images.
    """
    shape = (IMAGES, *batch.images.shape[1:])
    deviations: list[Tensor] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (x,) = inputs
        deviations.append(x.transpose(0, 1).flatten(1).var(1, correction=0).mean().sqrt())

    scores = []
    with prepared(network, seed) as probe, without_kernels(), torch.no_grad():
        for _ in range(REPEATS):
            _draw_weights(probe)
            x, e = (torch.randn(shape).to(batch.images) for _ in range(2))
            hooks = [layer.register_forward_pre_hook(record) for layer in normalisations(probe)]
            features = _features(probe, x)
            for hook in hooks:
                hook.remove()
            change = (features - _features(probe, x + CHANGE * e)).abs().flatten(1).sum(1).mean()
            scores.append(float(torch.stack([change, *deviations]).double().log().sum()))
            deviations.clear()
    return math.fsum(scores) / REPEATS


def _features(network: nn.Module, images: Tensor) -> Tensor:
    """Return the features before they are pooled, [B, C, H', W']; or else the logits."""
    if isinstance(network, BranchedModel):
        return network.tail(network.trunk(images), 0)
    logits: Tensor = network(images)
    return logits


def _draw_weights(network: nn.Module) -> None:
    """Draw standard normal weights; biases are zero, and normalisations neither scale nor shift."""
    for layer in layers(network):
        nn.init.normal_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    for norm in normalisations(network):
        norm.reset_parameters()
