"""Channels that bypass the candidate operations (PC-DARTS, Xu et al. 2020).

With partial channels K the operations of an edge see the first C / K channels of a state. The other
channels are passed on, pooled where the stride is 2, and all channels are shuffled. The published
code shuffles every edge; one shuffle of each node is the same, because a fixed permutation of
channels commutes with the sum over edges.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def passed(x: Tensor, stride: int) -> Tensor:
    """Return what an edge passes on, [B, C, H / stride, W / stride], of [B, C, H, W]."""
    return F.max_pool2d(x, 2, 2) if stride == 2 else x


def shuffled(computed: Tensor, bypassed: Tensor) -> Tensor:
    """Join the channels that were computed and those that bypassed, and shuffle them.

    Of 8 channels in 4 groups the order becomes 0, 2, 4, 6, 1, 3, 5, 7.

    Args:
        computed: sum of the candidate operations of a node, [B, C / K, H, W].
        bypassed: sum of what its edges passed on, [B, C - C / K, H, W].

    Returns:
        The node, [B, C, H, W].
    """
    joined = torch.cat([computed, bypassed], dim=1)
    # [B, K, C / K, H, W] to [B, C / K, K, H, W]
    groups: Tensor = joined.unflatten(1, (-1, computed.shape[1])).transpose(1, 2)
    return groups.flatten(1, 2).contiguous(memory_format=torch.channels_last)
