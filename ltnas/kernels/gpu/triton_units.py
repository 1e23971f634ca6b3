"""Parts of operations that compute several units together: their weights and their products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

from ltnas.kernels.gpu.depthwise_geometry import Geometry, check_kernel
from ltnas.kernels.gpu.edge_operations import EdgeUnits
from ltnas.kernels.gpu.triton_normalisation import join_moments
from ltnas.kernels.gpu.triton_pointwise import multiply, part_pixels

MOST = 8
"""Most units whose weights are packed in one launch; the kernel names each of them."""
PACKED = 256
"""Weights that a program packs."""
PARTS = 64
"""Largest number of parts of the gradient of the weights."""
PART_PIXELS = 512
"""Least number of pixels of a part of the gradient of the weights."""
SIZES = ["filters", "matrix"]
"""Arguments for whose values Triton shall compile no variants."""


@triton.jit
def _turn(weight, taps, at, filters, FIRST: tl.constexpr, TAPS: tl.constexpr):
    """Write weights [filters, TAPS] as [TAPS, filters]."""
    if TAPS > 0:
        exists = at < filters * TAPS
        value = tl.load(weight + at % filters * TAPS + at // filters, mask=exists)
        tl.store(taps + FIRST * filters + at, value, mask=exists)


@triton.jit
def _copy(weight, matrices, at, matrix, NUMBER: tl.constexpr, COUNT: tl.constexpr):
    if NUMBER < COUNT:
        value = tl.load(weight + at, mask=at < matrix)
        to = matrices + NUMBER * matrix + at
        tl.store(to, value.to(matrices.dtype.element_ty), mask=at < matrix)


@triton.jit(do_not_specialize=SIZES)
def _pack(
    d0, d1, d2, d3, d4, d5, d6, d7, p0, p1, p2, p3, p4, p5, p6, p7, taps, matrices, filters, matrix,
    T0: tl.constexpr, T1: tl.constexpr, T2: tl.constexpr, T3: tl.constexpr, T4: tl.constexpr,
    T5: tl.constexpr, T6: tl.constexpr, T7: tl.constexpr, COUNT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write depthwise weights, turned, and pointwise weights of the units one after another.

    T0 to T7 are the numbers of taps of the units, 0 for those that do not exist.
    """
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    number = tl.program_id(1)
    if number == 0:
        _turn(d0, taps, at, filters, 0, T0)
        _copy(p0, matrices, at, matrix, 0, COUNT)
    elif number == 1:
        _turn(d1, taps, at, filters, T0, T1)
        _copy(p1, matrices, at, matrix, 1, COUNT)
    elif number == 2:
        _turn(d2, taps, at, filters, T0 + T1, T2)
        _copy(p2, matrices, at, matrix, 2, COUNT)
    elif number == 3:
        _turn(d3, taps, at, filters, T0 + T1 + T2, T3)
        _copy(p3, matrices, at, matrix, 3, COUNT)
    elif number == 4:
        _turn(d4, taps, at, filters, T0 + T1 + T2 + T3, T4)
        _copy(p4, matrices, at, matrix, 4, COUNT)
    elif number == 5:
        _turn(d5, taps, at, filters, T0 + T1 + T2 + T3 + T4, T5)
        _copy(p5, matrices, at, matrix, 5, COUNT)
    elif number == 6:
        _turn(d6, taps, at, filters, T0 + T1 + T2 + T3 + T4 + T5, T6)
        _copy(p6, matrices, at, matrix, 6, COUNT)
    else:
        _turn(d7, taps, at, filters, T0 + T1 + T2 + T3 + T4 + T5 + T6, T7)
        _copy(p7, matrices, at, matrix, 7, COUNT)


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


class Packed(NamedTuple):
    """Weights in the form that the kernels read, of the first units and then of the second ones."""

    taps: Tensor
    """Depthwise weights, [k * k, edges * C] of one first unit after another, flat."""
    matrices: Tensor
    """Pointwise weights, [candidates * edges * C, C]."""
    taps2: Tensor
    """Depthwise weights of the second units."""
    matrices2: Tensor
    """Pointwise weights of the second units."""


def pack(units: Sequence[EdgeUnits], firsts: int, dtype: torch.dtype) -> Packed:
    """Return the weights of the first and the second units, copied in one launch."""
    filters, inputs = units[0].pointwise.shape[:2]
    counts = [unit.depthwise[0].numel() for unit in units]
    device, matrix = units[0].pointwise.device, filters * inputs
    taps = torch.empty(sum(counts) * filters, dtype=torch.float32, device=device)
    matrices = torch.empty(len(units) * matrix, dtype=dtype, device=device)
    absent = MOST - len(units)
    depthwise = [unit.depthwise.contiguous() for unit in units]
    pointwise = [unit.pointwise.contiguous() for unit in units]
    blocks = triton.cdiv(max(matrix, max(counts) * filters), PACKED)
    for unit in units:
        check_kernel(unit.depthwise.shape[-1])
    _pack[blocks, len(units)](
        *depthwise, *depthwise[:1] * absent, *pointwise, *pointwise[:1] * absent,
        taps, matrices, filters, matrix,
        **{f"T{number}": count for number, count in enumerate([*counts, *[0] * absent])},
        COUNT=len(units), BLOCK=PACKED,
    )  # fmt: skip
    of_first = sum(counts[:firsts]) * filters
    rows = matrices.view(-1, inputs)
    return Packed(
        taps[:of_first], rows[: firsts * filters], taps[of_first:], rows[firsts * filters :]
    )


def multiply_and_measure(
    x: Tensor, matrices: Tensor, layers: Sequence[nn.BatchNorm2d], *, learns: bool
) -> tuple[Tensor, Tensor]:
    """Return the pointwise convolutions of several units, and their moments.

    Args:
        x: input of all groups without gaps, [B, groups * C, H, W].
        matrices: weights, [groups * O, C].
        layers: see `triton_normalisation.join_moments`.
        learns: see `triton_normalisation.join_moments`.
    """
    channels, inputs = matrices.shape
    pixels, step = x.numel() // x.shape[1], part_pixels(inputs)
    new: dict[str, Any] = {"dtype": torch.float32, "device": x.device}
    parts = torch.empty(2, triton.cdiv(pixels, step), channels, **new)
    groups = channels // inputs
    y = multiply(x, matrices, groups, parts=(parts[0], parts[1]))
    moments = torch.empty(4, channels, **new)
    join_moments(layers, parts, moments, pixels=pixels, part_pixels=step, learns=learns)
    return y, moments


class Partials:
    """Parts of the gradients of the weights of several units, in one buffer.

    Args:
        shapes: shapes of the weights.
        pixels: number of pixels of the units' outputs.
        device: device of the weights.
    """

    def __init__(self, shapes: Sequence[torch.Size], pixels: int, device: torch.device) -> None:
        self.shapes, self.sizes = shapes, [shape.numel() for shape in shapes]
        parts = max(1, min(PARTS, pixels // PART_PIXELS))
        self.buffer = torch.empty(parts, sum(self.sizes), dtype=torch.float32, device=device)

    def of(self, first: int, last: int) -> Tensor:
        """Return the parts of the weights from one number to another, [parts, weights]."""
        return self.buffer[:, sum(self.sizes[:first]) : sum(self.sizes[:last])]

    def sum(self) -> list[Tensor]:
        """Return the gradients of all weights."""
        found = self.buffer.sum(0).split(self.sizes)
        return [one.view(shape) for one, shape in zip(found, self.shapes, strict=True)]
