"""Sum of all candidate operations of a state, normalised and scaled, on a GPU."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from ltnas.kernels.gpu.candidate_sum import ELEMENTS, Summands


@triton.jit
def load_normalised(x, mean, inverse, mask):
    """Load a value, normalised by mean and inverse deviation of its channel."""
    value = tl.load(x, mask=mask, other=0.0).to(tl.float32)
    average = tl.load(mean, mask=mask, other=0.0)
    return (value - average) * tl.load(inverse, mask=mask, other=0.0)


@triton.jit
def _scaled(x, mean, inverse, scale, mask):
    return load_normalised(x, mean, inverse, mask) * tl.load(scale, mask=mask, other=0.0).to(
        tl.float32
    )


@triton.jit(do_not_specialize=["pixels"])
def _combine(
    y, separable, dilated, pooled, state, mean2, inverse2, mean1, inverse1, mean0, inverse0,
    s0, s1, d0, d1, u0, u1, u2, pixels,
    CHANNELS: tl.constexpr, OWN: tl.constexpr, STATE_STEP: tl.constexpr, SEPARABLE: tl.constexpr,
    DILATED: tl.constexpr, POOLS: tl.constexpr, SKIP: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Sum of all candidates, normalised and multiplied by their scales; OWN channels an edge."""
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, p = element % CHANNELS, element // CHANNELS
    mask = p < pixels
    x = separable + p * (SEPARABLE * CHANNELS) + c
    total = tl.zeros([ELEMENTS], dtype=tl.float32)
    if SEPARABLE > 0:
        total += _scaled(x, mean2 + c, inverse2 + c, s0 + c, mask)
    if SEPARABLE > 1:
        own = c + CHANNELS
        total += _scaled(x + CHANNELS, mean2 + own, inverse2 + own, s1 + c, mask)
    x = dilated + p * ((SEPARABLE + DILATED) * CHANNELS) + SEPARABLE * CHANNELS + c
    own = c + SEPARABLE * CHANNELS
    if DILATED > 0:
        total += _scaled(x, mean1 + own, inverse1 + own, d0 + c, mask)
    if DILATED > 1:
        own += CHANNELS
        total += _scaled(x + CHANNELS, mean1 + own, inverse1 + own, d1 + c, mask)
    own = element % OWN
    x = pooled + p * (POOLS * OWN) + own
    if POOLS > 0:
        total += _scaled(x, mean0 + own, inverse0 + own, u0 + c, mask)
    if POOLS > 1:
        total += _scaled(x + OWN, mean0 + OWN + own, inverse0 + OWN + own, u1 + c, mask)
    if SKIP:
        value = tl.load(state + p * STATE_STEP + own, mask=mask, other=0.0).to(tl.float32)
        total += value * tl.load(u2 + c, mask=mask, other=0.0).to(tl.float32)
    tl.store(y + element, total.to(y.dtype.element_ty), mask=mask)


def combine(y: Tensor, summands: Summands) -> None:
    """Write the sum of all candidates, normalised and multiplied by their scales.

    Args:
        y: sum without gaps, [B, filters, H, W].
        summands: what the candidates have computed.
    """
    kinds = summands.kinds
    pixels = y.numel() // kinds.filters
    _combine[(triton.cdiv(y.numel(), ELEMENTS),)](
        y, *summands.arguments(), *summands.slots(), pixels,
        **kinds.constants(), ELEMENTS=ELEMENTS,
    )  # fmt: skip
