"""Gradients of the sum of all candidate operations of a state, on a GPU.

`combined_sums` comes first: the others need the sums over the pixels.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from ltnas.kernels.gpu.candidate_sum import ELEMENTS, KINDS, Summands
from ltnas.kernels.gpu.layout import power_of_two
from ltnas.kernels.gpu.triton_candidates_sum import load_normalised

TILE = 8192
"""Elements of a program of the sums over pixels."""
SIZES = ["pixels"]
"""Arguments for whose values Triton shall compile no variants."""


@triton.jit
def _product_sum(grad, x, mean, inverse, c, exists, mask):
    value = tl.load(x, mask=mask, other=0.0).to(tl.float32)
    average = tl.load(mean + c, mask=exists, other=0.0)
    deviation = tl.load(inverse + c, mask=exists, other=0.0)
    return tl.sum(grad * (value - average[None, :]) * deviation[None, :], axis=0)


@triton.jit(do_not_specialize=SIZES)
def _combined_sums(
    gradient, separable, dilated, pooled, state,
    mean2, inverse2, mean1, inverse1, mean0, inverse0, parts, pixels,
    CHANNELS: tl.constexpr, OWN: tl.constexpr, STATE_STEP: tl.constexpr, SEPARABLE: tl.constexpr,
    DILATED: tl.constexpr, POOLS: tl.constexpr, SKIP: tl.constexpr,
    PIXELS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Sums over the pixels of a part: of the gradient, and of its product with each candidate."""
    count: tl.constexpr = SEPARABLE + DILATED
    c = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    p = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    exists = c < CHANNELS
    mask = (p < pixels)[:, None] & exists[None, :]
    at = p[:, None] * CHANNELS + c[None, :]
    grad = tl.load(gradient + at, mask=mask, other=0.0).to(tl.float32)
    arrays: tl.constexpr = 1 + count + POOLS + (1 if SKIP else 0)
    to = parts + tl.program_id(0) * (arrays * CHANNELS) + c
    tl.store(to, tl.sum(grad, axis=0), mask=exists)
    x = separable + p[:, None] * (SEPARABLE * CHANNELS) + c[None, :]
    if SEPARABLE > 0:
        value = _product_sum(grad, x, mean2, inverse2, c, exists, mask)
        tl.store(to + CHANNELS, value, mask=exists)
    if SEPARABLE > 1:
        value = _product_sum(grad, x + CHANNELS, mean2, inverse2, c + CHANNELS, exists, mask)
        tl.store(to + 2 * CHANNELS, value, mask=exists)
    own = c + SEPARABLE * CHANNELS
    x = dilated + p[:, None] * (count * CHANNELS) + own[None, :]
    if DILATED > 0:
        value = _product_sum(grad, x, mean1, inverse1, own, exists, mask)
        tl.store(to + (1 + SEPARABLE) * CHANNELS, value, mask=exists)
    if DILATED > 1:
        value = _product_sum(grad, x + CHANNELS, mean1, inverse1, own + CHANNELS, exists, mask)
        tl.store(to + (2 + SEPARABLE) * CHANNELS, value, mask=exists)
    own = c % OWN
    x = pooled + p[:, None] * (POOLS * OWN) + own[None, :]
    if POOLS > 0:
        value = _product_sum(grad, x, mean0, inverse0, own, exists, mask)
        tl.store(to + (1 + count) * CHANNELS, value, mask=exists)
    if POOLS > 1:
        value = _product_sum(grad, x + OWN, mean0, inverse0, own + OWN, exists, mask)
        tl.store(to + (2 + count) * CHANNELS, value, mask=exists)
    if SKIP:
        x = state + p[:, None] * STATE_STEP + own[None, :]
        value = tl.sum(grad * tl.load(x, mask=mask, other=0.0).to(tl.float32), axis=0)
        tl.store(to + (1 + count + POOLS) * CHANNELS, value, mask=exists)


@triton.jit
def _edge_sums(grad, total, product, value, scale, sums, products, mask):
    """Add an edge's gradient of a shared tensor, and of the sums that its normalisation needs."""
    factor = tl.load(scale, mask=mask, other=0.0).to(tl.float32)
    total += factor * tl.load(sums, mask=mask, other=0.0)
    product += factor * tl.load(products, mask=mask, other=0.0)
    return value + factor * grad, total, product


@triton.jit(do_not_specialize=SIZES)
def _shared_gradient(
    gradient, pooled, mean0, inverse0, u0, u1, u2, sums, d_pooled, d_state, pixels,
    CHANNELS: tl.constexpr, OWN: tl.constexpr, FIRST: tl.constexpr,
    POOLS: tl.constexpr, SKIP: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Gradients of the pools and of the state through skip connections: sums over the edges.

    The products with the pools are the arrays from number FIRST on of `sums`.
    """
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, p = element % OWN, element // OWN
    mask = p < pixels
    zero = tl.zeros([ELEMENTS], dtype=tl.float32)
    value0, total0, product0 = zero, zero, zero
    value1, total1, product1 = zero, zero, zero
    value2 = zero
    products = sums + FIRST * CHANNELS
    for edge in tl.static_range(CHANNELS // OWN):
        at = c + edge * OWN
        grad = tl.load(gradient + p * CHANNELS + at, mask=mask, other=0.0).to(tl.float32)
        if POOLS > 0:
            value0, total0, product0 = _edge_sums(
                grad, total0, product0, value0, u0 + at, sums + at, products + at, mask
            )
        if POOLS > 1:
            value1, total1, product1 = _edge_sums(
                grad, total1, product1, value1, u1 + at, sums + at, products + CHANNELS + at, mask
            )
        if SKIP:
            value2 += grad * tl.load(u2 + at, mask=mask, other=0.0).to(tl.float32)
    at = p * (POOLS * OWN) + c
    if POOLS > 0:
        x = load_normalised(pooled + at, mean0 + c, inverse0 + c, mask)
        value0 = (value0 - total0 / pixels - x * product0 / pixels) * tl.load(
            inverse0 + c, mask=mask, other=0.0
        )
        tl.store(d_pooled + at, value0.to(d_pooled.dtype.element_ty), mask=mask)
    if POOLS > 1:
        own = c + OWN
        x = load_normalised(pooled + at + OWN, mean0 + own, inverse0 + own, mask)
        value1 = (value1 - total1 / pixels - x * product1 / pixels) * tl.load(
            inverse0 + own, mask=mask, other=0.0
        )
        tl.store(d_pooled + at + OWN, value1.to(d_pooled.dtype.element_ty), mask=mask)
    if SKIP:
        tl.store(d_state + element, value2.to(d_state.dtype.element_ty), mask=mask)


@triton.jit
def _store_gradient(dx, at, x, grad, total, product, mean, inverse, scale, mask):
    """Store the gradient of the input of a normalisation; sums are divided by the pixels."""
    slope = tl.load(inverse, mask=mask, other=0.0) * tl.load(scale, mask=mask, other=0.0).to(
        tl.float32
    )
    normalised = load_normalised(x + at, mean, inverse, mask)
    value = (grad - total - normalised * product) * slope
    tl.store(dx + at, value.to(dx.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=SIZES)
def _combined_gradient(
    gradient, separable, dilated, mean2, inverse2, mean1, inverse1, s0, s1, d0, d1, sums,
    d_separable, d_dilated, pixels,
    CHANNELS: tl.constexpr, SEPARABLE: tl.constexpr, DILATED: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """Gradients of what the last normalisation of each candidate reads."""
    element = tl.program_id(0) * ELEMENTS + tl.arange(0, ELEMENTS)
    c, p = element % CHANNELS, element // CHANNELS
    mask = p < pixels
    grad = tl.load(gradient + element, mask=mask, other=0.0).to(tl.float32)
    total = tl.load(sums + c, mask=mask, other=0.0) / pixels
    at = p * (SEPARABLE * CHANNELS) + c
    if SEPARABLE > 0:
        product = tl.load(sums + CHANNELS + c, mask=mask, other=0.0) / pixels
        _store_gradient(
            d_separable, at, separable, grad, total, product, mean2 + c, inverse2 + c, s0 + c, mask
        )
    if SEPARABLE > 1:
        product = tl.load(sums + 2 * CHANNELS + c, mask=mask, other=0.0) / pixels
        own = c + CHANNELS
        at += CHANNELS
        _store_gradient(
            d_separable, at, separable, grad, total, product, mean2 + own, inverse2 + own, s1 + c,
            mask,
        )  # fmt: skip
    own = c + SEPARABLE * CHANNELS
    at = p * ((SEPARABLE + DILATED) * CHANNELS) + own
    if DILATED > 0:
        product = tl.load(sums + (1 + SEPARABLE) * CHANNELS + c, mask=mask, other=0.0) / pixels
        _store_gradient(
            d_dilated, at, dilated, grad, total, product, mean1 + own, inverse1 + own, d0 + c, mask
        )
    if DILATED > 1:
        product = tl.load(sums + (2 + SEPARABLE) * CHANNELS + c, mask=mask, other=0.0) / pixels
        own += CHANNELS
        at += CHANNELS
        _store_gradient(
            d_dilated, at, dilated, grad, total, product, mean1 + own, inverse1 + own, d1 + c, mask
        )


def combined_sums(gradient: Tensor, summands: Summands) -> Tensor:
    """Return sums over the pixels of the gradient and of its product with each candidate.

    The products are the gradients of the scales.

    Args:
        gradient: gradient of the sum without gaps, [B, filters, H, W].
        summands: what the candidates have computed.

    Returns:
        Sums for each channel, flat: [(1 + candidates) * filters].
    """
    kinds, filters = summands.kinds, summands.kinds.filters
    pixels, block = gradient.numel() // filters, min(64, power_of_two(filters))
    step = TILE // block
    tiles = triton.cdiv(pixels, step)
    shape = (tiles, (1 + kinds.total) * filters)
    parts = torch.empty(shape, dtype=torch.float32, device=gradient.device)
    _combined_sums[tiles, triton.cdiv(filters, block)](
        gradient, *summands.arguments(), parts, pixels,
        **kinds.constants(), PIXELS=step, BLOCK=block,
    )  # fmt: skip
    return parts.sum(0)


def combined_gradient(
    gradient: Tensor,
    summands: Summands,
    *,
    sums: Tensor,
    d_separable: Tensor,
    d_dilated: Tensor,
) -> None:
    """Write the gradients of what the last normalisations of the convolutions read.

    Args:
        gradient: gradient of the sum without gaps, [B, filters, H, W].
        summands: what the candidates have computed.
        sums: see `combined_sums`.
        d_separable: gradient of the second units, [B, separable * filters, H, W].
        d_dilated: gradient of the first units, [B, (separable + dilated) * filters, H, W], of which
            the channels of the dilated convolutions are written.
    """
    kinds, elements = summands.kinds, gradient.numel()
    moments = (*summands.separable_moments[:2], *summands.dilated_moments[:2])
    _combined_gradient[(triton.cdiv(elements, ELEMENTS),)](
        gradient, summands.separable, summands.dilated, *moments,
        *summands.slots()[: 2 * KINDS], sums, d_separable, d_dilated, elements // kinds.filters,
        CHANNELS=kinds.filters, SEPARABLE=kinds.separable, DILATED=kinds.dilated, ELEMENTS=ELEMENTS,
    )  # fmt: skip


def shared_gradient(
    gradient: Tensor,
    summands: Summands,
    *,
    sums: Tensor,
    d_pooled: Tensor,
    d_state: Tensor,
) -> None:
    """Write the gradients of the pools, and of the state through a skip connection if there is one.

    Args:
        gradient: gradient of the sum without gaps, [B, filters, H, W].
        summands: what the candidates have computed.
        sums: see `combined_sums`.
        d_pooled: gradient of the pools before their normalisation, [B, pools * channels, H, W].
        d_state: gradient of the state without gaps, [B, channels, H, W] with a skip connection.
    """
    kinds = summands.kinds
    pixels = gradient.numel() // kinds.filters
    _shared_gradient[(triton.cdiv(pixels * kinds.channels, ELEMENTS),)](
        gradient, summands.pooled, *summands.pooled_moments[:2], *summands.slots()[2 * KINDS :],
        sums, d_pooled, d_state, pixels,
        CHANNELS=kinds.filters, OWN=kinds.channels, FIRST=1 + kinds.separable + kinds.dilated,
        POOLS=kinds.pools, SKIP=kinds.skip, ELEMENTS=ELEMENTS,
    )  # fmt: skip
