"""Call a kernel with tensors, and describe the memory layout of tensors to it.

Activations are [B, H, W, C] and may be slices of channels; the activations of several edges are
stacked as [edges, B, H, W, C].
"""

from __future__ import annotations

import torch
from torch import Tensor

from ltnas.kernels import Kernels, kernels


def run_kernel(name: str, dtype: torch.dtype, *arguments: object) -> None:
    """Run a kernel by its name in `ltnas.kernels.SIGNATURES`; the machine must have kernels."""
    library = kernels()
    assert isinstance(library, Kernels)
    library(name, dtype, *arguments)


def threads_for(work: int) -> int:
    """Return the number of threads for a number of arithmetic operations.

    To start a thread costs as much time as a few 100,000 operations.
    """
    return max(1, min(torch.get_num_threads(), work // 2**19))


def pixel_stride(x: Tensor) -> int:
    """Return the elements from one pixel to the next of [B, H, W, C] or a slice of its channels."""
    return x.stride(-2)


def pixels(x: Tensor) -> int:
    """Return the number of pixels of all images of [B, H, W, C] or of each edge of a stack."""
    return x.shape[-4] * x.shape[-3] * x.shape[-2]


def to_channels_last(x: Tensor) -> Tensor:
    """Return [B, C, H, W] as dense [B, H, W, C], copied only if its pixels are not in that order.

    PyTorch sets the strides of sides of length 1 as it likes; here they always fit the shape.
    """
    channels, height, width = x.shape[1:]
    # A permutation of a channels-last tensor is dense: nothing is copied.
    y = x.permute(0, 2, 3, 1)
    strides = (height * width * channels, width * channels, channels, 1)
    if y.is_contiguous():
        return y.as_strided(y.shape, strides)
    return y.clone(memory_format=torch.contiguous_format)
