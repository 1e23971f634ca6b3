"""Layers of units of several operations that read one state, forward and backward, on a GPU.

The first layer has the first unit of each operation, and the second one the second units of those
that have two. Each launch computes a layer: its channels are those of one unit after another, and
within a unit those of one edge after another, [B, units * edges * C, H, W]. A layer ends before its
normalisation: the second layer normalises and rectifies what it reads, and the callers treat the
last normalisations each in its own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ltnas.kernels.gpu.depthwise_geometry import Geometry, Moments
from ltnas.kernels.gpu.edge_operations import EdgeUnits
from ltnas.kernels.gpu.layout import empty, spaced
from ltnas.kernels.gpu.triton_depthwise_forward import convolve
from ltnas.kernels.gpu.triton_depthwise_input import input_gradient
from ltnas.kernels.gpu.triton_depthwise_weights import filter_gradient
from ltnas.kernels.gpu.triton_normalisation_moments import join_moments
from ltnas.kernels.gpu.triton_pointwise import matrix_gradient, multiply, part_pixels
from ltnas.kernels.gpu.triton_units import Packed, pack

PARTS = 64
"""Largest number of parts of the gradient of the weights."""
PART_PIXELS = 512
"""Least number of pixels of a part of the gradient of the weights."""


class Layer(NamedTuple):
    """Inputs, weights and results of a layer."""

    x: Tensor
    """State, not rectified, or `outer` of the first layer."""
    taps: Tensor
    """Depthwise weights, see `Packed`."""
    matrices: Tensor
    """Pointwise weights, see `Packed`."""
    inner: Tensor
    """Depthwise convolutions without gaps, [B, units * filters, H, W]."""
    outer: Tensor
    """Pointwise convolutions of these, not normalised, [B, units * filters, H, W]."""
    moments: Moments
    """Normalisation of `outer`."""


def compute_layers(
    x: Tensor, first: Sequence[EdgeUnits], second: Sequence[EdgeUnits], *, learns: bool
) -> tuple[list[Layer], list[Geometry]]:
    """Return one or two layers, and the geometry of each.

    Args:
        x: state that all first units read, not rectified, [B, C, H, W].
        first: first units, of at most four operations with the same edges and the same stride.
        second: second units of the first ones of these operations; may be empty.
        learns: see `triton_normalisation_moments.join_moments`.
    """
    x, x_step = spaced(x)
    weights, *others = pack((*first, *second), len(first), x.dtype)
    geometry = geometry_of(first, channels=x.shape[1], x_step=x_step)
    layer = _compute(x, weights, geometry, first, before=None, learns=learns)
    if not second:
        return [layer], [geometry]
    after = geometry_after(second, len(first))
    last = _compute(layer.outer, others[0], after, second, before=layer.moments, learns=learns)
    return [layer, last], [geometry, after]


def _compute(
    x: Tensor,
    weights: Packed,
    geometry: Geometry,
    units: Sequence[EdgeUnits],
    *,
    before: Moments | None,
    learns: bool,
) -> Layer:
    """Return a layer; `before` normalises what it reads."""
    batch, _, height, width = x.shape
    stride, filters = geometry.stride, len(units) * geometry.filters
    inner = empty(batch, filters, -(-height // stride), -(-width // stride), like=x)
    convolve(x, weights.taps, inner, geometry, before)
    # Each product writes the moments of its pixels, too.
    pixels, step = inner.numel() // filters, part_pixels(weights.matrices.shape[1])
    parts = torch.empty(2, -(-pixels // step), filters, dtype=torch.float32, device=x.device)
    outer = multiply(inner, weights.matrices, _groups(weights), parts=(parts[0], parts[1]))
    moments = torch.empty(4, filters, dtype=torch.float32, device=x.device)
    norms = [unit.norm for unit in units]
    join_moments(norms, parts, moments, pixels=pixels, part_pixels=step, learns=learns)
    return Layer(x, *weights, inner, outer, moments)


def _groups(weights: Packed | Layer) -> int:
    """Return the number of matrices, one for each edge of each unit."""
    filters, inputs = weights.matrices.shape
    return filters // inputs


def saved(layers: Sequence[Layer]) -> list[Tensor]:
    """Return the tensors of layers for `save_for_backward`."""
    return [tensor for layer in layers for tensor in layer]


def restored(tensors: Sequence[Tensor]) -> list[Layer]:
    """Return the layers of saved tensors."""
    size = len(Layer._fields)
    return [Layer(*tensors[i : i + size]) for i in range(0, len(tensors), size)]


class LayerGradients:
    """Backward pass of layers.

    Args:
        layers: layers.
        geometries: geometry of each layer.
        shapes: shapes of the depthwise weights of all units, and of their pointwise weights.
        weights: True if gradients of the weights are wanted.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        geometries: Sequence[Geometry],
        shapes: Sequence[torch.Size],
        *,
        weights: bool,
    ) -> None:
        self.layers, self.geometries, self.shapes = layers, geometries, shapes
        self.sizes = [shape.numel() for shape in shapes]
        # Parts of the gradients of all weights, so that one launch sums them.
        self.partial: Tensor | None = None
        if weights:
            outer = layers[0].outer
            pixels = outer.numel() // outer.shape[1]
            parts = max(1, min(PARTS, pixels // PART_PIXELS))
            new = torch.empty(parts, sum(self.sizes), dtype=torch.float32, device=outer.device)
            self.partial = new

    def propagate(
        self, number: int, gradient: Tensor, dx: Tensor | None, *, adds: bool = False
    ) -> None:
        """Write the gradient of what a layer reads, normalised, and parts of those of its weights.

        Args:
            number: number of the layer.
            gradient: gradient of its `outer` without gaps.
            dx: gradient of the state, or of those channels of the first layer that the second one
                reads, without gaps; None: not wanted.
            adds: True to add to `dx`.
        """
        layer, geometry = self.layers[number], self.geometries[number]
        before = self.layers[number - 1].moments if number else None
        d_inner = multiply(gradient, layer.matrices, _groups(layer), transposed=True)
        if dx is not None:
            input_gradient(d_inner, layer.x, layer.taps, dx, geometry, before, adds=adds)
        if self.partial is not None:
            units, first = len(self.shapes) // 2, len(self.geometries[0].kernels)
            chosen = slice(first, units) if number else slice(0, first)
            own = self._parts(self.partial, units + chosen.start, units + chosen.stop)
            matrix_gradient(gradient, layer.inner, own, _groups(layer))
            own = self._parts(self.partial, chosen.start, chosen.stop)
            filter_gradient(d_inner, layer.x, own, geometry, before)

    def _parts(self, partial: Tensor, first: int, last: int) -> Tensor:
        """Return the parts of the weights from one number to another, [parts, weights]."""
        return partial[:, sum(self.sizes[:first]) : sum(self.sizes[:last])]

    def of_weights(self) -> list[Tensor | None]:
        """Return the gradients of all weights."""
        if self.partial is None:
            return [None] * len(self.shapes)
        found = self.partial.sum(0).split(self.sizes)
        return [one.view(shape) for one, shape in zip(found, self.shapes, strict=True)]


def geometry_of(first: Sequence[EdgeUnits], channels: int, x_step: int) -> Geometry:
    """Return the geometry of units that read one state, rectified.

    Args:
        first: units.
        channels: channels of the state.
        x_step: distance of two pixels of the state in elements.
    """
    return Geometry(
        kernels=tuple(unit.depthwise.shape[-1] for unit in first),
        dilations=tuple(unit.dilation for unit in first),
        stride=first[0].stride,
        rectify=True,
        filters=len(first[0].pointwise),
        channels=channels,
        sliced=False,
        x_step=x_step,
    )


def geometry_after(second: Sequence[EdgeUnits], firsts: int) -> Geometry:
    """Return the geometry of second units, each of which reads a slice of the first ones' output.

    Args:
        second: second units.
        firsts: number of first units.
    """
    filters = len(second[0].pointwise)
    alone = geometry_of(second, channels=filters, x_step=firsts * filters)
    return alone._replace(sliced=True)
