"""Scaling of images to a square of a given size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def resize(images: Tensor, size: int | None) -> Tensor:
    """Scale uint8 images [N, 3, H, W] to [N, 3, size, size]; None leaves them unchanged."""
    if size is None or tuple(images.shape[2:]) == (size, size):
        return images
    # In parts of 4,096 images: a float copy of 50,000 images would take gigabytes.
    parts = [
        F.interpolate(part.float(), (size, size), mode="bilinear", antialias=True)
        .round_()
        .clamp_(0, 255)
        .byte()
        for part in images.split(4096)
    ]
    return torch.cat(parts)
