"""The kernels as functions of tensors.

Activations are [B, H, W, C] and may be slices of channels; stacked they are [edges, B, H, W, C].
A normalisation is y = scale * (p - mean) * inverse + shift, as in kernels.cpp, all four float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ltnas.kernels import Kernels, Shape, addresses, integers, kernels


def _run(name: str, dtype: torch.dtype, *arguments: object) -> None:
    found = kernels()
    assert isinstance(found, Kernels)
    found(name, dtype, *arguments)


def threads_for(work: int) -> int:
    """Threads for a number of operations: to start another costs as much as a few 100,000."""
    return max(1, min(torch.get_num_threads(), work // 2**19))


def pixel_stride(x: Tensor) -> int:
    """Elements from pixel to pixel of a dense [B, H, W, C] or a slice of its channels."""
    return x.stride(-2)


def pixels(x: Tensor) -> int:
    """Of all images."""
    return x.shape[-4] * x.shape[-3] * x.shape[-2]


@dataclass(frozen=True)
class Geometry:
    """The depthwise convolution of a unit."""

    kernel: int
    stride: int
    dilation: int

    def shape(self, x: Tensor, channels: int, edges: int, shared: bool) -> Shape:
        """For the kernels. All taps of a dilated one at stride 2 fall on even pixels."""
        batch, height, width = x.shape[-4:-1]
        thinned = self.stride == 2 and self.dilation == 2
        step = 2 if thinned else 1
        stride, dilation = (1, 1) if thinned else (self.stride, self.dilation)
        work = batch * height * width * channels * edges * (self.kernel**2 + channels)
        return Shape(
            *(batch, height // step, width // step, channels, edges),
            *(self.kernel, dilation, stride, height, width, step),
            *(int(shared), pixel_stride(x), threads_for(work)),
        )


def rows(x: Tensor) -> Tensor:
    """[B, C, H, W] to [B, H, W, C] with its pixels one after the other, whatever its strides say of
    sides of length 1.
    """
    channels, height, width = x.shape[1:]
    y = x.permute(0, 2, 3, 1)
    strides = (height * width * channels, width * channels, channels, 1)
    if y.is_contiguous():
        return y.as_strided(y.shape, strides)
    return y.clone(memory_format=torch.contiguous_format)


class Normalisation(NamedTuple):
    """Mean and inverse deviation of each channel; scale and shift, where they are learned."""

    mean: Tensor
    inverse: Tensor
    scale: Tensor | None = None
    shift: Tensor | None = None


NOTHING = (None, None, None, None)


def unit_forward(
    geometry: Geometry,
    x: Tensor,
    before: Normalisation | None,
    depthwise: Tensor,
    pointwise: Tensor,
    measure: bool,
) -> tuple[Tensor, Tensor | None]:
    """ReLU, depthwise and pointwise convolution of each edge.

    Args:
        geometry: of the depthwise convolution.
        x: a state that all edges share; or, with `before`, stacked.
        before: what each stacked channel is put through ahead of ReLU.
        depthwise: weights [edges * C, 1, k, k].
        pointwise: weights [edges * C, C, 1, 1].
        measure: whether sums are wanted.

    Returns:
        [edges, B, H', W', C]; sums of it and of its squares, float64 [2, edges * C].
    """
    stacked, channels = pointwise.shape[:2]
    shape = geometry.shape(x, channels, stacked // channels, before is None)
    batch, height, width = x.shape[-4:-1]
    smaller = height // geometry.stride, width // geometry.stride
    out = x.new_empty(stacked // channels, batch, *smaller, channels)
    sums = x.new_empty(2, stacked, dtype=torch.float64) if measure else None
    normalisation = before or NOTHING
    _run("unit_forward", x.dtype, shape, x, *normalisation, depthwise, pointwise, out, sums)
    return out, sums


@dataclass
class Upon:
    """What is known of a normalised tensor when its gradient comes back.

    Args:
        g: the gradient, [B, H, W, C] one an edge, all with the same pixel stride.
        p: what was normalised, [edges, B, H, W, C].
        normalisation: of p, [edges * C]; its shift is of no account.
        sums: of g, and of g * (p - mean) * inverse: [edges, 2, C].
    """

    g: Sequence[Tensor]
    p: Tensor
    normalisation: Normalisation
    sums: Tensor


class Gradients(NamedTuple):
    """Of a unit's weights; and `Upon.sums` for the unit before, if there is one."""

    depthwise: Tensor | None
    pointwise: Tensor | None
    sums: Tensor | None


def unit_backward(
    geometry: Geometry,
    x: Tensor,
    before: Normalisation | None,
    depthwise: Tensor,
    pointwise: Tensor,
    upon: Upon,
    gx: Tensor,
    learns: bool,
) -> Gradients:
    """Gradients of a unit.

    Args:
        geometry: see `unit_forward`, as for the next four.
        x: input.
        before: of it.
        depthwise: weights.
        pointwise: weights.
        upon: of the output.
        gx: of a shared state: the gradient is added; of a stacked input: written, after ReLU.
        learns: whether the weights' gradients are wanted.
    """
    stacked, channels = pointwise.shape[:2]
    shape = geometry.shape(x, channels, stacked // channels, before is None)
    of_depthwise = torch.empty_like(depthwise) if learns else None
    of_pointwise = torch.empty_like(pointwise) if learns else None
    sums = None
    if before is not None:
        sums = x.new_empty(stacked // channels, 2, channels, dtype=torch.float64)
    mean, inverse, scale, _ = upon.normalisation
    _run(
        "unit_backward",
        x.dtype,
        *(shape, x, *(before or NOTHING), depthwise, pointwise),
        *(addresses(upon.g), pixel_stride(upon.g[0])),
        *(upon.p, scale, mean, inverse, upon.sums),
        *(gx, pixel_stride(gx), of_depthwise, of_pointwise, sums),
    )
    return Gradients(of_depthwise, of_pointwise, sums)


def rectified_forward(x: Tensor, weight: Tensor, measure: bool) -> tuple[Tensor, Tensor | None]:
    """ReLU and a 1x1 convolution, [B, H, W, inputs] to [B, H, W, outputs].

    Args:
        x: dense.
        weight: [outputs, inputs, 1, 1].
        measure: whether sums are wanted.

    Returns:
        The result; sums of it and of its squares, float64 [2, outputs].
    """
    outputs, inputs = weight.shape[:2]
    out = x.new_empty(*x.shape[:3], outputs)
    sums = x.new_empty(2, outputs, dtype=torch.float64) if measure else None
    shape = (pixels(x), inputs, outputs)
    threads = threads_for(out.numel() * inputs)
    _run("rectified_forward", x.dtype, *shape, x, weight, out, sums, threads)
    return out, sums


def rectified_backward(
    x: Tensor, weight: Tensor, upon: Upon, wanted: bool, learns: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of x and of the weight.

    Args:
        x: see `rectified_forward`, as for the next.
        weight: of the convolution.
        upon: of the normalised result: one dense g; a p [B, H, W, outputs], its sums [2, outputs].
        wanted: whether x's gradient is.
        learns: whether the weight's is.
    """
    outputs, inputs = weight.shape[:2]
    gx = torch.empty_like(x) if wanted else None
    of_weight = torch.empty_like(weight) if learns else None
    mean, inverse, scale, _ = upon.normalisation
    _run(
        "rectified_backward",
        x.dtype,
        *(pixels(x), inputs, outputs, x, weight, upon.g[0], upon.p),
        *(scale, mean, inverse, upon.sums, gx, of_weight),
        threads_for(2 * upon.p.numel() * inputs),
    )
    return gx, of_weight


class Term(NamedTuple):
    """One of those that a node sums: scale * (source - mean) * inverse, the last three [C]."""

    source: Tensor
    scale: Tensor
    mean: Tensor
    inverse: Tensor


def mix(terms: Sequence[Term], out: Tensor, add: bool, shift: Tensor | None = None) -> None:
    """The sum of terms, and a shift [C] if there is one, to `out`, or added to it."""
    sources, scales, means, inverses = zip(*terms, strict=True)
    _run(
        "mix",
        out.dtype,
        *(pixels(out), out.shape[3], len(terms)),
        *(addresses(sources), integers([pixel_stride(x) for x in sources])),
        *(addresses(scales), addresses(means), addresses(inverses), shift),
        *(out, pixel_stride(out), int(add), threads_for(out.numel() * len(terms) * 4)),
    )


def mix_products(g: Tensor, terms: Sequence[Term], out: Sequence[Tensor]) -> None:
    """For each term of a node, what `Upon.sums` needs, from the node's gradient to `out` [2, C]."""
    sources, _, means, inverses = zip(*terms, strict=True)
    _run(
        "mix_products",
        g.dtype,
        *(pixels(g), g.shape[3], len(terms), g, pixel_stride(g)),
        *(addresses(sources), integers([pixel_stride(x) for x in sources])),
        *(addresses(means), addresses(inverses), addresses(out)),
        threads_for(g.numel() * len(terms) * 4),
    )


def moments(x: Tensor) -> Tensor:
    """Sums and sums of squares of [B, H, W, C], float64 [2, C]."""
    sums = x.new_empty(2, x.shape[3], dtype=torch.float64)
    shape = pixels(x), x.shape[3]
    _run("moments", x.dtype, *shape, x, pixel_stride(x), sums, threads_for(x.numel() * 4))
    return sums


def count_batch(layers: Sequence[nn.BatchNorm2d]) -> None:
    """What `nn.BatchNorm2d` keeps of how many batches it saw."""
    counts = [x.num_batches_tracked for x in layers if x.training and x.track_running_stats]
    known = [count for count in counts if count is not None]
    if known:
        torch._foreach_add_(known, 1)


def statistics(layer: nn.BatchNorm2d, sums: Tensor | None, count: int, to: Normalisation) -> None:
    """Those that a layer normalises with, to `to`; if by the batch's, they move its running ones.

    Args:
        layer: keeps count of its batches elsewhere.
        sums: of the batch, as `moments`; left out, if the layer does not measure.
        count: of pixels.
        to: is written.
    """
    running: tuple[Tensor | None, Tensor | None] = (None, None)
    dtype = torch.float32
    if layer.track_running_stats and layer.running_mean is not None:
        running, dtype = (layer.running_mean, layer.running_var), layer.running_mean.dtype
    _run(
        "statistics",
        dtype,
        *(sums, layer.num_features, count),
        *running,
        *(layer.momentum, layer.eps, to.mean, to.inverse),
    )


def normalised_backward(upon: Upon, out: Tensor) -> None:
    """The gradient of a p that flows, normalised, to several places.

    Args:
        upon: its p is [B, H, W, C] and all of its g are of that; the scale [len(g), C] and the
            sums [len(g), 2, C] tell them apart.
        out: is written, with the strides of p.
    """
    p, (mean, inverse, scale, _) = upon.p, upon.normalisation
    _run(
        "normalised_backward",
        p.dtype,
        *(pixels(p), p.shape[3], len(upon.g), addresses(upon.g), pixel_stride(upon.g[0])),
        *(p, pixel_stride(p), scale, mean, inverse, upon.sums),
        *(out, threads_for(out.numel() * len(upon.g) * 4)),
    )


def _pool_shape(x: Tensor, stride: int) -> Shape:
    return Geometry(3, stride, 1).shape(x, x.shape[3], 1, True)


def pool_forward(x: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Largest value and mean of 3x3 windows."""
    shape = (len(x), x.shape[1] // stride, x.shape[2] // stride, x.shape[3])
    largest, mean = x.new_empty(shape), x.new_empty(shape)
    _run("pool_forward", x.dtype, _pool_shape(x, stride), x, largest, mean)
    return largest, mean


def pool_backward(x: Tensor, stride: int, of_largest: Tensor, of_mean: Tensor, gx: Tensor) -> None:
    """Add the gradient of both pools to `gx`."""
    shape = _pool_shape(x, stride)
    _run("pool_backward", x.dtype, shape, x, of_largest, of_mean, gx, pixel_stride(gx))
