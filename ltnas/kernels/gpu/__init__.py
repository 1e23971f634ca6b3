"""GPU kernels in Triton, for what PyTorch's libraries are slow at in a supernet.

Depthwise and grouped pointwise convolutions on channels-last tensors, which cuDNN splits into one
launch for each group or computes by general kernels, pools, and batch normalisation in fewer
launches.
Activations are float32 or bfloat16; all sums are float32. The kernels run without a GPU, too, in
Triton's interpreter (TRITON_INTERPRET=1), which is how the tests check them.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ltnas.kernels import SWITCH
from ltnas.kernels.gpu.edge_operations import EdgeUnits, Shared
from ltnas.kernels.switch import switched_off


@functools.cache
def available() -> bool:
    """Return True if the kernels can be compiled for the GPU and are not switched off.

    Triton needs a C compiler for its launches, and matrix products in bfloat16 a GPU of the
    generation of the A100 or a later one.
    """
    if os.environ.get(SWITCH) == "off" or importlib.util.find_spec("triton") is None:
        return False
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    return compiler is not None and torch.cuda.get_device_capability() >= (8, 0)


def takes(x: Tensor) -> bool:
    """Return True if the GPU kernels can compute with an activation [B, C, H, W]."""
    if torch.compiler.is_compiling() or not x.is_cuda or switched_off():
        return False
    return x.dtype in (torch.float32, torch.bfloat16) and available()


# Triton is imported at the first call: it is missing on machines without a GPU, and slow to import.


def depthwise(x: Tensor, weight: Tensor, *, stride: int, dilation: int, rectify: bool) -> Tensor:
    """See `triton_depthwise.depthwise`."""
    from ltnas.kernels.gpu import triton_depthwise

    return triton_depthwise.depthwise(x, weight, stride=stride, dilation=dilation, rectify=rectify)


def pointwise(x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """See `triton_pointwise.pointwise`."""
    from ltnas.kernels.gpu import triton_pointwise

    return triton_pointwise.pointwise(x, weight, groups)


def normalise(
    layer: nn.BatchNorm2d,
    x: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
    *,
    onto: Tensor | None = None,
) -> Tensor:
    """See `triton_normalisation.normalise`."""
    from ltnas.kernels.gpu import triton_normalisation

    return triton_normalisation.normalise(layer, x, scale, shift, onto=onto)


def weighted_sum(terms: Sequence[tuple[Tensor, Tensor | None]]) -> Tensor:
    """See `triton_sums.weighted_sum`."""
    from ltnas.kernels.gpu import triton_sums

    return triton_sums.weighted_sum(terms)


def pools(x: Tensor, stride: int, *, maximum: bool, mean: bool) -> tuple[Tensor, Tensor]:
    """See `triton_pools.pools`."""
    from ltnas.kernels.gpu import triton_pools

    return triton_pools.pools(x, stride, maximum=maximum, mean=mean)


def candidates(
    x: Tensor,
    separable: Sequence[tuple[EdgeUnits, EdgeUnits]],
    dilated: Sequence[EdgeUnits],
    shared: Shared,
    scales: Sequence[Tensor],
) -> Tensor:
    """See `triton_candidates.candidates`."""
    from ltnas.kernels.gpu import triton_candidates

    return triton_candidates.candidates(x, separable, dilated, shared, scales)


def split(x: Tensor, channels: int) -> Sequence[Tensor]:
    """See `triton_sums.split`."""
    from ltnas.kernels.gpu import triton_sums

    return triton_sums.split(x, channels)


def operations(
    x: Tensor, units: Sequence[Sequence[EdgeUnits]], factors: Sequence[Tensor] | None
) -> Tensor:
    """See `triton_operations.operations`."""
    from ltnas.kernels.gpu import triton_operations

    return triton_operations.operations(x, units, factors)
