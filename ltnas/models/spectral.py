"""Spectral normalisation: convolutions divided by their largest singular value as linear maps.

The value is computed anew from the weights in each pass, without vectors of an earlier pass, so
that copies, reloaded state dicts and repeated passes compute the same. It is part of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ltnas.kernels.convolutions import Geometry

SQUARINGS = 10
"""Number of times that a Gram matrix is squared: 2^10 power iterations. An eigenvalue that is one
per cent below the largest then counts 3e-5 of it."""


def largest_singular_values(matrices: Tensor) -> Tensor:
    """Return the largest singular value of each matrix, by repeated squaring of its Gram matrix.

    For 14 matrices of 64 x 64 on the CPU it takes less than half of the time of an SVD with its
    gradient, and unlike one it can be recorded as a CUDA graph.

    Args:
        matrices: [matrices, rows, columns], none of them zero.

    Returns:
        Values, [matrices], with the gradient u v^T (of singular vectors u and v).
    """
    with torch.no_grad():
        gram = matrices @ matrices.mT
        # Converges to the projection onto the largest eigenvalue's eigenvectors, with trace 1.
        projection = gram / _traces(gram)
        for _ in range(SQUARINGS):
            projection = projection @ projection
            projection = projection / _traces(projection)
    # tr(P W W^T); a change of P does not change it to first order.
    return (matrices * (projection @ matrices)).sum((1, 2)).sqrt()


def _traces(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=1, dim2=2).sum(-1)[:, None, None]


def largest_responses(kernels: Tensor, geometry: Geometry, size: Sequence[int]) -> Tensor:
    """Return the largest singular value of each depthwise convolution with circular padding.

    At stride 1 it is the largest magnitude of the kernels' Fourier transforms on the grid of the
    image (Sedghi et al. 2019; MSR-DARTS, Machida et al. 2020). A stride folds frequencies that
    cannot be told apart any more onto one, whose power is the mean of theirs.

    Args:
        kernels: [convolutions, channels, k, k].
        geometry: kernel, stride and dilation.
        size: height and width of the input, pixels; rounded up to multiples of the stride.

    Returns:
        Values, [convolutions].
    """
    taps = kernels.flatten(2)  # [convolutions, channels, k * k]
    with torch.no_grad():
        waves = _waves(geometry, size, taps)  # [parts, frequencies, k * k]
        # [convolutions, channels, parts, frequencies]
        parts = (taps @ waves.flatten(0, 1).mT).unflatten(-1, waves.shape[:2])
        power = parts.square_().sum(2)
        best = power.flatten(1).argmax(1)  # [convolutions]
        channel, frequency = best // power.shape[2], best % power.shape[2]
    # The graph has the largest response alone; the others have no gradient.
    largest = taps[torch.arange(len(taps), device=taps.device), channel]
    response = (waves[:, frequency] * largest).sum(-1)  # [parts, convolutions]
    return response.square().sum(0).sqrt() / geometry.stride


def _waves(geometry: Geometry, size: Sequence[int], like: Tensor) -> Tensor:
    """Return the waves of each frequency at the taps of kernels, [parts, frequencies, k * k].

    The parts are the cosines and sines of the frequencies that a stride folds onto one.

    Args:
        geometry: kernel, stride and dilation.
        size: height and width of the input, pixels.
        like: gives dtype and device.
    """
    # Real kernels have the same response at opposite frequencies: half of the rows are enough.
    rows, columns = (
        _angles(geometry, length, half, like)
        for length, half in zip(size, (True, False), strict=True)
    )
    # [stride, stride, rows, columns, k, k]
    angles = rows[:, None, :, None, :, None] + columns[None, :, None, :, None, :]
    angles = angles.flatten(0, 1).flatten(1, 2).flatten(2)
    return torch.cat([angles.cos(), angles.sin()])


def _angles(geometry: Geometry, length: int, half: bool, like: Tensor) -> Tensor:
    """Return the phase of each frequency of an axis at each tap, [stride, frequencies, k]."""
    stride = geometry.stride
    outputs = -(-length // stride)
    device = like.device
    frequencies = torch.arange(outputs // 2 + 1 if half else outputs, device=device)
    aliases = outputs * torch.arange(stride, device=device)[:, None, None]
    places = geometry.dilation * torch.arange(geometry.kernel, device=device)
    # As integers, modulo a whole turn, so that phases are exact.
    turns = (aliases + frequencies[:, None]) * places % (outputs * stride)
    return turns.to(like.dtype) * (2 * math.pi / (outputs * stride))


def normalised_matrices(weight: Tensor, edges: int) -> Tensor:
    """Return stacked 1x1 convolutions, each divided by its largest singular value.

    Args:
        weight: [edges * filters, C, 1, 1].
        edges: number of edges.
    """
    with torch.autocast(weight.device.type, enabled=False):
        values = largest_singular_values(weight.flatten(1).unflatten(0, (edges, -1)))
        return _divided(weight, values)


def normalised_kernels(
    weight: Tensor, edges: int, geometry: Geometry, size: Sequence[int]
) -> Tensor:
    """Return stacked depthwise convolutions, each divided by its largest singular value.

    Args:
        weight: [edges * C, 1, k, k].
        edges: number of edges.
        geometry: kernel, stride and dilation.
        size: height and width of the input, pixels.
    """
    with torch.autocast(weight.device.type, enabled=False):
        kernels = weight.squeeze(1).unflatten(0, (edges, -1))
        return _divided(weight, largest_responses(kernels, geometry, size))


def _divided(weight: Tensor, values: Tensor) -> Tensor:
    """Return the weights of each edge, [edges * filters, ...], divided by the edge's value."""
    return weight / values.repeat_interleave(len(weight) // len(values)).view(-1, 1, 1, 1)
