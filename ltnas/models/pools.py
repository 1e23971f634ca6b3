"""3x3 pools whose border of one pixel counts for neither the maximum nor the mean."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ltnas.kernels import gpu


def maximum_pool(x: Tensor, stride: int) -> Tensor:
    """Return the maximum around each pixel, [B, C, H / stride, W / stride], of [B, C, H, W]."""
    if gpu.takes(x):
        return gpu.pools(x, stride, maximum=True, mean=False)[0]
    return F.max_pool2d(x, 3, stride, padding=1)


def mean_pool(x: Tensor, stride: int) -> Tensor:
    """Return the mean around each pixel, [B, C, H / stride, W / stride], of [B, C, H, W]."""
    if gpu.takes(x):
        return gpu.pools(x, stride, maximum=False, mean=True)[1]
    if x.is_cuda:
        # On a GPU, PyTorch 2.11 and others compute a wrong gradient of channels-last inputs with
        # padding (github.com/pytorch/pytorch/issues/188344).
        x = x.contiguous()
    return F.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)


class MaximumPool(nn.Module):
    """The operation `max_pool_3x3` of a discrete network.

    Args:
        stride: stride, 1 or 2.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """See `maximum_pool`."""
        return maximum_pool(x, self.stride)


class MeanPool(nn.Module):
    """The operation `avg_pool_3x3` of a discrete network.

    Args:
        stride: stride, 1 or 2.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """See `mean_pool`."""
        return mean_pool(x, self.stride)
