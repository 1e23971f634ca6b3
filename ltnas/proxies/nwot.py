"""Neural architecture search without training: how differently ReLUs see images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import prepared
from ltnas.proxies.relu_inputs import visit_relu_inputs


def nwot(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return ln |det K| of the kernel of the images' codes (Mellor et al. 2021, section 3).

    The code of an image has a bit for every element of every ReLU's input: 1 if it is positive.
    K_ij is the number of bits that are equal in the codes of images i and j. The score is minus
    infinity if two images have the same code.

    Args:
        network: network that maps images to logits.
        batch: images; labels are not used.
        seed: seed of what the network draws.
    """
    size = len(batch.images)
    kernel = torch.zeros(size, size, dtype=torch.float64, device=batch.images.device)

    def add(x: Tensor) -> None:
        kernel.add_(equal_bits((x > 0).flatten(1)))

    with prepared(network, seed) as probe:
        visit_relu_inputs(probe, batch.images, add)
    return float(torch.linalg.slogdet(kernel).logabsdet)


def equal_bits(codes: Tensor) -> Tensor:
    """Return the number of equal bits of each pair of codes, [B, B], of codes bool [B, bits]."""
    # With signs s = +1 and -1, the sum of s_i * s_j is the number of equal minus that of different
    # bits. Sums of up to 2^24 are exact in float32, which is faster than float64.
    signs = codes.float().mul_(2).sub_(1)
    return (signs @ signs.T + signs.shape[1]) / 2
