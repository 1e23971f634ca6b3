"""One size for all images of a source."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def resize(images: Tensor, size: int | None) -> Tensor:
    """Images, uint8 [N, 3, H, W], scaled to [N, 3, size, size]; as they are if size is None."""
    if size is None or tuple(images.shape[2:]) == (size, size):
        return images
    # In parts: a float copy of 50,000 images at once would take gigabytes.
    parts = [
        F.interpolate(part.float(), (size, size), mode="bilinear", antialias=True)
        .round_()
        .clamp_(0, 255)
        .byte()
        for part in images.split(4096)
    ]
    return torch.cat(parts)
