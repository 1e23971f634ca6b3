"""Weights of several units in the form that the GPU kernels read, copied in one launch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ltnas.kernels.gpu.depthwise_geometry import check_kernel
from ltnas.kernels.gpu.edge_operations import EdgeUnits

MOST = 8
"""Most units whose weights are packed in one launch; the kernel names each of them."""
PACKED = 256
"""Weights that a program packs."""
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


class Packed(NamedTuple):
    """Weights of units side by side."""

    taps: Tensor
    """Depthwise weights, [k * k, edges * C] of one unit after another, flat, in float32."""
    matrices: Tensor
    """Pointwise weights, [units * edges * C, C]."""


def pack(units: Sequence[EdgeUnits], firsts: int, dtype: torch.dtype) -> list[Packed]:
    """Return the weights of the first units, and those of the others.

    Args:
        units: all units, the first ones first.
        firsts: number of first units.
        dtype: type of the pointwise weights.
    """
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
    own, rows = sum(counts[:firsts]) * filters, matrices.view(-1, inputs)
    first = Packed(taps[:own], rows[: firsts * filters])
    return [first, Packed(taps[own:], rows[firsts * filters :])]
