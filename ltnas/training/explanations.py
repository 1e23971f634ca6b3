"""Explanations of a classification: changes of the pixels that raise its loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Classify = Callable[[Tensor], Tensor]
"""Returns logits [B, C] of standardised images [B, 3, H, W]."""
ChangeLoss = Callable[[Tensor], Tensor]
"""Returns a loss, a scalar, of a change of the pixels [B, 3, H, W]."""


@dataclass(frozen=True)
class Pixels:
    """Scale of standardised images, to change them in pixels of [0, 1].

    Args:
        mean: mean of each channel, [1, 3, 1, 1].
        deviation: standard deviation of each channel, [1, 3, 1, 1].
    """

    mean: Tensor
    deviation: Tensor

    def changed(self, images: Tensor, change: Tensor) -> Tensor:
        """Return standardised images after a change of their pixels, [B, 3, H, W]."""
        return images + change / self.deviation

    def allowed(self, images: Tensor, change: Tensor, radius: float) -> Tensor:
        """Return the nearest change within a radius that leaves all pixels in [0, 1]."""
        pixels = images * self.deviation + self.mean
        return (pixels + change.clamp(-radius, radius)).clamp(0, 1) - pixels


def importance(change: Tensor) -> Tensor:
    """Return how much each pixel matters, in [0, 1], largest 1 in each image, [B, 3, H, W].

    The scale of an image counts as a constant. Without it, an audience would see images of almost
    one colour, and only its normalisation would hide this.

    Args:
        change: change of the pixels that raises the loss, [B, 3, H, W].
    """
    sizes = change.abs()
    return sizes / sizes.detach().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)


def attacked_loss(classify: Classify, pixels: Pixels, images: Tensor, labels: Tensor) -> ChangeLoss:
    """Return the loss of an attack as a function of the change: the sum over the images.

    It is that of the true labels. The divergence from the answer to the unchanged image has no
    gradient where nothing is changed yet.
    """
    return lambda change: F.cross_entropy(
        classify(pixels.changed(images, change)), labels, reduction="sum"
    )


def slope(loss: ChangeLoss, change: Tensor) -> Tensor:
    """Return the gradient of a loss at a change, [B, 3, H, W]."""
    with torch.enable_grad():
        current = change.detach().requires_grad_()
        (found,) = torch.autograd.grad(loss(current), [current])
    return found


def ascend_by_signs(
    loss: ChangeLoss,
    start: Tensor,
    allowed: Callable[[Tensor], Tensor],
    *,
    step: float,
    steps: int,
) -> Tensor:
    """Return the change that projected ascent by signs reaches (Madry et al. 2018, section 2.1).

    Args:
        loss: loss of the change.
        start: first change, [B, 3, H, W].
        allowed: projects a change to those that are allowed.
        step: change of each pixel in a step.
        steps: number of steps.
    """
    change = allowed(start)
    for _ in range(steps):
        change = allowed(change + step * slope(loss, change).sign())
    return change
