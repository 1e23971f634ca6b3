"""A copy of a network that a proxy may change, and the weights and the loss that proxies use."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ltnas.proxies.batch import ProxyBatch


@contextmanager
def prepared(network: nn.Module, seed: int) -> Iterator[nn.Module]:
    """Yield a copy of a network, and draw all random numbers from a seed inside of the context.

    Normalisations use the statistics of the batch, as those of an untrained network have no others;
    dropout and drop path are switched off. The network itself and the state of the global random
    generators stay as they are.

    Args:
        network: network on the CPU or one GPU.
        seed: seed of the global generators inside of the context.
    """
    probe = copy.deepcopy(network).requires_grad_().eval()
    probe.zero_grad()
    for module in normalisations(probe):
        module.train()
    gpus = {tensor.device for tensor in probe.parameters() if tensor.is_cuda}
    with torch.random.fork_rng(devices=gpus), torch.enable_grad():
        torch.manual_seed(seed)
        yield probe


def normalisations(network: nn.Module) -> list[_BatchNorm]:
    """Return the batch normalisations of a network."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


def settle_statistics(network: nn.Module, images: Tensor) -> None:
    """Fix normalisations to the statistics of a batch, so that an image decides its logits alone.

    With the statistics of each batch, the sum of the logits over the batch is constant in networks
    whose last operations are normalisations, as cells are, and its gradient is rounding errors.

    Args:
        network: network of `prepared`.
        images: [B, 3, H, W].
    """
    for module in normalisations(network):
        module.momentum = 1.0
    with torch.no_grad():
        network(images)
    network.eval()


def layers(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Return the convolutions and linear layers, whose weights proxies look at.

    The auxiliary classifier is left out: the logits do not depend on it.
    """
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not name.startswith("auxiliary_head.")
    ]


def weights(network: nn.Module) -> list[Tensor]:
    """Return the weights of the convolutions and linear layers, without biases."""
    return [layer.weight for layer in layers(network)]


def total(sums: Iterable[Tensor]) -> float:
    """Return the total of the sums of all layers."""
    return math.fsum(value.item() for value in sums)


def loss(network: nn.Module, batch: ProxyBatch) -> Tensor:
    """Return the mean cross-entropy of a batch."""
    return F.cross_entropy(network(batch.images), batch.labels)


def gradients(
    value: Tensor, tensors: list[Tensor], *, retain_graph: bool = False, create_graph: bool = False
) -> list[Tensor]:
    """Return the gradients of a scalar with respect to tensors; zeros where it does not depend.

    Args:
        value: scalar.
        tensors: tensors of any shapes.
        retain_graph: True to keep the graph for another call.
        create_graph: True for gradients that can be differentiated.
    """
    return list(
        torch.autograd.grad(
            value,
            tensors,
            retain_graph=retain_graph or create_graph,
            create_graph=create_graph,
            materialize_grads=True,
        )
    )
