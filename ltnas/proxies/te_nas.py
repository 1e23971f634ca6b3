"""The two indicators of TE-NAS (Chen et al. 2021): trainability and expressivity.

TE-NAS adds the ranks that networks have by each, which is a matter of several networks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.prepared import gradients, prepared, settle_statistics, weights
from ltnas.proxies.relu_inputs import visit_relu_inputs

NTK_IMAGES = 16
LINES, POINTS = 8, 8


def te_nas_ntk(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return -ln of the condition number of the neural tangent kernel (section 3.1).

    The kernel of two images is the product of the gradients of their logits' sums with respect to
    all weights; its condition number is the largest eigenvalue over the smallest. A network with a
    small one is easier to train, hence the sign: a higher score is better. Unlike in the published
    code, the statistics of normalisations are fixed (see `settle_statistics`).

    Args:
        network: network that maps images to logits.
        batch: images, of which the first 16 are used; labels are not used.
        seed: seed of what the network draws.
    """
    with prepared(network, seed) as probe:
        of_layers = weights(probe)
        settle_statistics(probe, batch.images)
        rows = [
            torch.cat([g.flatten() for g in gradients(probe(image[None]).sum(), of_layers)])
            for image in batch.first(NTK_IMAGES).images
        ]
    jacobian = torch.stack(rows).double()  # [B, weights]
    values = torch.linalg.eigvalsh(jacobian @ jacobian.T)
    # Rounding may leave a singular kernel a negative eigenvalue.
    smallest = values[0].clamp(min=values[-1] * torch.finfo(torch.float64).eps)
    return float((smallest / values[-1]).log())


def te_nas_regions(network: nn.Module, batch: ProxyBatch, seed: int) -> float:
    """Return the mean number of linear regions that a line between two images passes through.

    A network of ReLUs is linear in each region of its inputs in which no input of a ReLU changes
    its sign; more regions are a richer function (section 3.2). The code of TE-NAS counts the
    different patterns of signs of images of 3 x 3 pixels in a network with few channels. In wider
    networks each image has a pattern of its own, so that regions are counted along lines instead
    (Hanin and Rolnick 2019): each change of a sign between neighbours of 8 points on a line is the
    boundary of a region. An input that several ReLUs read changes its signs once.

    Args:
        network: network that maps images to logits.
        batch: images, of which the first 9 are the ends of 8 lines; labels are not used.
        seed: seed of what the network draws.
    """
    points = _lines(batch.images[: LINES + 1])
    crossed, lines = 0, len(points) // POINTS
    # Inputs that have been counted, kept so that no other gets their memory.
    seen: dict[tuple[object, ...], Tensor] = {}

    def count(x: Tensor) -> None:
        nonlocal crossed
        key = x.data_ptr(), x.shape, x.stride()
        if key not in seen:
            seen[key] = x
            signs = (x > 0).reshape(lines, POINTS, -1)
            crossed += int((signs[:, 1:] != signs[:, :-1]).sum())

    with prepared(network, seed) as probe:
        visit_relu_inputs(probe, points, count)
    return 1 + crossed / lines


def _lines(images: Tensor) -> Tensor:
    """Return points on the lines from each image to the next, [lines * POINTS, 3, H, W]."""
    steps = torch.linspace(0, 1, POINTS).to(images).view(1, -1, 1, 1, 1)
    points = torch.lerp(images[:-1, None], images[1:, None], steps)
    return points.flatten(0, 1)
