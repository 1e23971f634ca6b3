"""Kernels of batch normalisation, and of the sums of normalised tensors at a node.

A normalisation is y = scale * (x - mean) * inverse + shift for each channel, where inverse is
1 / sqrt(variance + eps). All four are float64, so that statistics lose no digits to large means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ltnas.kernels import addresses, integers
from ltnas.kernels.calls import pixel_stride, pixels, run_kernel, threads_for


class Normalisation(NamedTuple):
    """Normalisation of each channel.

    Args:
        mean: mean, float64 [C].
        inverse: inverse standard deviation, float64 [C].
        scale: factor of the normalised value, float64 [C]; None: 1.
        shift: what is added at the end, float64 [C]; None: 0.
    """

    mean: Tensor
    inverse: Tensor
    scale: Tensor | None = None
    shift: Tensor | None = None


IDENTITY = (None, None, None, None)
"""Arguments that tell a kernel that its input is not normalised."""


@dataclass
class NormalisationBackward:
    """Inputs of the backward pass through one normalisation of each edge (Ioffe & Szegedy 2015).

    Args:
        grads: gradients of the normalised outputs, one [B, H, W, C] for each edge, all with the
            same pixel stride.
        inputs: tensors that were normalised, [edges, B, H, W, C].
        normalisation: normalisation of `inputs`, [edges * C]; its shift is not needed.
        sums: for each channel the sums over pixels of grad and of grad * (input - mean) * inverse,
            float64 [edges, 2, C].
    """

    grads: Sequence[Tensor]
    inputs: Tensor
    normalisation: Normalisation
    sums: Tensor


class Term(NamedTuple):
    """One addend of a node: scale * (source - mean) * inverse.

    Args:
        source: activations, [B, H, W, C].
        scale: factor of each channel, float64 [C].
        mean: mean of each channel, float64 [C].
        inverse: inverse standard deviation of each channel, float64 [C].
    """

    source: Tensor
    scale: Tensor
    mean: Tensor
    inverse: Tensor


def moments(x: Tensor) -> Tensor:
    """Return the sums and the sums of squares of [B, H, W, C] over pixels, float64 [2, C]."""
    sums = x.new_empty(2, x.shape[3], dtype=torch.float64)
    shape = pixels(x), x.shape[3]
    arguments = (x, pixel_stride(x), sums, threads_for(x.numel() * 4))
    run_kernel("moments", x.dtype, *shape, *arguments)
    return sums


def count_batch(layers: Sequence[nn.BatchNorm2d]) -> None:
    """Increment `num_batches_tracked` of layers in training, as `nn.BatchNorm2d` does."""
    # All counts in one call, instead of one small operation for each layer.
    counts = [x.num_batches_tracked for x in layers if x.training and x.track_running_stats]
    known = [count for count in counts if count is not None]
    if known:
        torch._foreach_add_(known, 1)


def statistics(
    layer: nn.BatchNorm2d, sums: Tensor | None, count: int, normalisation: Normalisation
) -> None:
    """Write the mean and inverse deviation that a layer normalises with to `normalisation`.

    Statistics of a batch also update the layer's running statistics, but not its count of batches
    (see `count_batch`).

    Args:
        layer: normalisation layer.
        sums: moments of the batch (see `moments`), float64 [2, C]; None: the layer normalises by
            its running statistics.
        count: number of pixels that were summed.
        normalisation: its mean and inverse, each [C], are overwritten.
    """
    running: tuple[Tensor | None, Tensor | None] = (None, None)
    dtype = torch.float32  # selects the kernel; any dtype will do without running statistics
    if layer.track_running_stats and layer.running_mean is not None:
        running, dtype = (layer.running_mean, layer.running_var), layer.running_mean.dtype
    run_kernel(
        "statistics",
        dtype,
        *(sums, layer.num_features, count),
        *running,
        *(layer.momentum, layer.eps, normalisation.mean, normalisation.inverse),
    )


def normalised_backward(backward: NormalisationBackward, grad_input: Tensor) -> None:
    """Compute the gradient of a tensor that is normalised once and read by several edges.

    Args:
        backward: here `inputs` is one [B, H, W, C] and `grads` has the gradient of each edge, with
            a scale for each edge and channel, [edges, C].
        grad_input: overwritten with the gradient, with the strides of `inputs`.
    """
    grads, x = backward.grads, backward.inputs
    mean, inverse, scale, _ = backward.normalisation
    run_kernel(
        "normalised_backward",
        x.dtype,
        *(pixels(x), x.shape[3], len(grads), addresses(grads), pixel_stride(grads[0])),
        *(x, pixel_stride(x), scale, mean, inverse, backward.sums),
        # About four operations for each element and edge.
        *(grad_input, threads_for(grad_input.numel() * len(grads) * 4)),
    )


def mix(terms: Sequence[Term], out: Tensor, add: bool, shift: Tensor | None = None) -> None:
    """Sum terms, and a shift [C] if there is one.

    Args:
        terms: addends, at least one.
        out: [B, H, W, C], overwritten with the sum or increased by it.
        add: True to add the sum to `out`.
        shift: constant of each channel, float64 [C].
    """
    # The kernel reads all sources of a pixel before it writes the sum: one pass over memory.
    sources, scales, means, inverses = zip(*terms, strict=True)
    run_kernel(
        "mix",
        out.dtype,
        *(pixels(out), out.shape[3], len(terms)),
        *(addresses(sources), integers([pixel_stride(x) for x in sources])),
        *(addresses(scales), addresses(means), addresses(inverses), shift),
        *(out, pixel_stride(out), int(add), threads_for(out.numel() * len(terms) * 4)),
    )


def mix_products(grad: Tensor, terms: Sequence[Term], sums: Sequence[Tensor]) -> None:
    """Compute `NormalisationBackward.sums` of every term from the gradient of their sum.

    Args:
        grad: gradient of a node, [B, H, W, C].
        terms: terms that the node sums.
        sums: one [2, C] for each term, overwritten.
    """
    # The gradient is read once for all terms. Scales are no part of these sums.
    sources, _, means, inverses = zip(*terms, strict=True)
    run_kernel(
        "mix_products",
        grad.dtype,
        *(pixels(grad), grad.shape[3], len(terms), grad, pixel_stride(grad)),
        *(addresses(sources), integers([pixel_stride(x) for x in sources])),
        *(addresses(means), addresses(inverses), addresses(sums)),
        threads_for(grad.numel() * len(terms) * 4),
    )
