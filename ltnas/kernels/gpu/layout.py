"""Memory layout of the activations that the GPU kernels read: pixels of consecutive channels."""

from __future__ import annotations

import torch
from torch import Tensor

LAST = torch.channels_last


def dense(x: Tensor) -> Tensor:
    """Return [B, C, H, W] in channels-last memory without gaps; a copy only if it is not."""
    return x.contiguous(memory_format=LAST)


def pixel_stride(x: Tensor) -> int | None:
    """Return the distance of two pixels in elements, or None if they are not evenly spaced.

    Slices of the channels of a channels-last tensor are evenly spaced, too.
    """
    _, channels, height, width = x.shape
    batch_stride, channel_stride, row_stride, stride = x.stride()
    even = row_stride == width * stride and batch_stride == height * row_stride
    return stride if even and (channel_stride == 1 or channels == 1) else None


def spaced(x: Tensor) -> tuple[Tensor, int]:
    """Return a tensor whose pixels are evenly spaced, and the distance; copies if they are not."""
    stride = pixel_stride(x)
    if stride is not None:
        return x, stride
    copy = dense(x)
    return copy, x.shape[1]


def empty(
    batch: int,
    channels: int,
    height: int,
    width: int,
    *,
    like: Tensor,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return an uninitialised [B, C, H, W] in channels-last memory, of the type of another."""
    shape = (batch, channels, height, width)
    if batch * channels * height * width >= 2**31:
        raise ValueError(
            f"{shape} has too many elements for the GPU kernels: set LTNAS_KERNELS=off"
        )
    return torch.empty(shape, memory_format=LAST, dtype=dtype or like.dtype, device=like.device)


def power_of_two(value: int, least: int = 1) -> int:
    """Return the smallest power of two that is no less than both numbers."""
    result = least
    while result < value:
        result *= 2
    return result
