"""All candidate operations of the edges that leave a state, together on a GPU.

The outputs of `sep_conv` and `dil_conv` have one shape, so that a launch computes the pointwise
convolutions, the moments or the sum of all of them at once, and what lies between two convolutions
is never written: a separable convolution's second depthwise convolution normalises and rectifies
what it reads. Pools and skip connections, which give every edge the same tensor, are added to the
sum of each edge while that is written. The channels of joint tensors are those of one candidate
after another, the separable ones first, and within a candidate those of one edge after another:
[B, candidates * edges * C, H, W].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from ltnas.kernels.gpu.edge_operations import EdgeUnits, Shared
from ltnas.kernels.gpu.layout import dense, empty, power_of_two, spaced
from ltnas.kernels.gpu.triton_depthwise_forward import convolve
from ltnas.kernels.gpu.triton_depthwise_input import input_gradient
from ltnas.kernels.gpu.triton_depthwise_weights import filter_gradient
from ltnas.kernels.gpu.triton_normalisation import measure, write_normalised_gradient
from ltnas.kernels.gpu.triton_pointwise import matrix_gradient, multiply
from ltnas.kernels.gpu.triton_pools import write_gradient, write_pools
from ltnas.kernels.gpu.triton_units import (
    Packed,
    Partials,
    geometry_after,
    geometry_of,
    multiply_and_measure,
    pack,
)

KINDS = 2
"""Largest number of candidates of each kind; the kernels name each of them."""
ELEMENTS = 1024
"""Elements of a program of the passes over pixels and channels."""
TILE = 8192
"""Elements of a program of the sums over pixels."""
SIZES = ["pixels"]
"""Arguments for whose values Triton shall compile no variants."""


@triton.jit
def _normalised(x, mean, inverse, mask):
    value = tl.load(x, mask=mask, other=0.0).to(tl.float32)
    average = tl.load(mean, mask=mask, other=0.0)
    return (value - average) * tl.load(inverse, mask=mask, other=0.0)


@triton.jit
def _scaled(x, mean, inverse, scale, mask):
    return _normalised(x, mean, inverse, mask) * tl.load(scale, mask=mask, other=0.0).to(tl.float32)


@triton.jit(do_not_specialize=SIZES)
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
        x = _normalised(pooled + at, mean0 + c, inverse0 + c, mask)
        value0 = (value0 - total0 / pixels - x * product0 / pixels) * tl.load(
            inverse0 + c, mask=mask, other=0.0
        )
        tl.store(d_pooled + at, value0.to(d_pooled.dtype.element_ty), mask=mask)
    if POOLS > 1:
        own = c + OWN
        x = _normalised(pooled + at + OWN, mean0 + own, inverse0 + own, mask)
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
    normalised = _normalised(x + at, mean, inverse, mask)
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


def candidates(
    x: Tensor,
    separable: Sequence[tuple[EdgeUnits, EdgeUnits]],
    dilated: Sequence[EdgeUnits],
    shared: Shared,
    scales: Sequence[Tensor],
) -> Tensor:
    """Return the sum of the candidates' scaled outputs, [B, edges * C, H / stride, W / stride].

    All have the same edges, and all normalisations the same settings.

    Args:
        x: state that the edges leave, not rectified, [B, C, H, W].
        separable: units of at most two separable convolutions.
        dilated: units of at most two dilated convolutions.
        shared: pools and skip connection.
        scales: factor of each channel of each candidate, [edges * C], in the order of the
            arguments: separable and dilated convolutions, maximum, mean, skip connection.
    """
    first = (*(pair[0] for pair in separable), *dilated)
    second = tuple(pair[1] for pair in separable)
    if max(len(separable), len(dilated)) > KINDS or not first:
        raise ValueError(f"{len(separable)} separable and {len(dilated)} dilated convolutions")
    if shared.skip and first[0].stride != 1:
        raise ValueError("a skip connection with a stride is a convolution")
    tensors = [unit.depthwise for unit in (*first, *second)]
    tensors += [unit.pointwise for unit in (*first, *second)]
    y: Tensor = _Candidates.apply(first, second, shared, x, *tensors, *scales)
    return y


class _Candidates(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        first: Sequence[EdgeUnits],
        second: Sequence[EdgeUnits],
        shared: Shared,
        x: Tensor,
        *tensors: Tensor,
    ) -> Tensor:
        units, scales = (*first, *second), tensors[2 * (len(first) + len(second)) :]
        x, x_step = spaced(x)
        batch, _, height, width = x.shape
        filters, stride = len(first[0].pointwise), first[0].stride
        out = (-(-height // stride), -(-width // stride))
        packed = pack(units, len(first), x.dtype)
        geometry = geometry_of(first, channels=x.shape[1], x_step=x_step)
        inner = empty(batch, len(first) * filters, *out, like=x)
        convolve(x, packed.taps, inner, geometry, None)
        outer, moments = multiply_and_measure(
            inner, packed.matrices, [unit.norm for unit in first], learns=False
        )
        inner2, outer2, moments2 = inner[:, :0], outer, moments
        geometry2 = None
        if second:
            # They normalise and rectify the first channels of what the first units have computed.
            geometry2 = geometry_after(second, len(first))
            inner2 = empty(batch, len(second) * filters, *out, like=x)
            convolve(outer, packed.taps2, inner2, geometry2, moments)
            outer2, moments2 = multiply_and_measure(
                inner2, packed.matrices2, [u.norm for u in second], learns=False
            )
        layers = [norm for norm in (shared.maximum, shared.mean) if norm is not None]
        pooled, moments0, taps = x[:, :0], moments, x[:, :0]
        if layers:
            channels = x.shape[1]
            pooled = empty(batch, len(layers) * channels, *out, like=x)
            taps = empty(batch, channels, *out, like=x, dtype=torch.uint8)
            both, step = _pools_of(pooled, shared, channels), pooled.shape[1]
            write_pools(x, *both, taps, x_step=x_step, y_step=step, stride=stride)
            moments0 = measure(layers, pooled)
        result = empty(batch, filters, *out, like=x)
        pixels = batch * out[0] * out[1]
        kinds = {
            "CHANNELS": filters,
            "OWN": x.shape[1],
            "STATE_STEP": x_step,
            "SEPARABLE": len(second),
            "DILATED": len(first) - len(second),
            "POOLS": len(layers),
            "SKIP": shared.skip,
        }
        _combine[(triton.cdiv(pixels * filters, ELEMENTS),)](
            result, outer2, outer, pooled, x, *moments2[:2], *moments[:2], *moments0[:2],
            *_slots(scales, len(second), len(first), len(layers)), pixels,
            **kinds, ELEMENTS=ELEMENTS,
        )  # fmt: skip
        saved = (
            x,
            inner,
            outer,
            moments,
            inner2,
            outer2,
            moments2,
            pooled,
            moments0,
            taps,
            *packed,
        )
        ctx.save_for_backward(*saved, *scales)
        ctx.geometry, ctx.geometry2, ctx.shared, ctx.kinds = geometry, geometry2, shared, kinds
        ctx.shapes = [tensor.shape for tensor in tensors]
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, inner, outer, moments, inner2, outer2, moments2, *rest = ctx.saved_tensors
        (pooled, moments0, pool_taps), packed, scales = rest[:3], Packed(*rest[3:7]), rest[7:]
        shared, kinds = ctx.shared, ctx.kinds
        geometry, geometry2 = ctx.geometry, ctx.geometry2
        firsts, seconds = len(geometry.kernels), len(geometry2.kernels) if geometry2 else 0
        units = firsts + seconds
        gradient = dense(gradients[0])
        batch, filters, height, width = gradient.shape
        pixels, inputs = batch * height * width, x.shape[1]
        *_, needs_x = ctx.needs_input_grad[:4]
        needs = ctx.needs_input_grad[4:]
        partials = None
        if any(needs[: 2 * units]):
            partials = Partials(ctx.shapes[: 2 * units], pixels, x.device)

        # 1. The last normalisation of each candidate.
        block = min(64, power_of_two(filters))
        step = TILE // block
        tiles = triton.cdiv(pixels, step)
        shape = (tiles, (1 + len(scales)) * filters)
        parts = torch.empty(shape, dtype=torch.float32, device=x.device)
        _combined_sums[tiles, triton.cdiv(filters, block)](
            gradient, outer2, outer, pooled, x, *moments2[:2], *moments[:2], *moments0[:2], parts,
            pixels,
            **kinds, PIXELS=step, BLOCK=block,
        )  # fmt: skip
        sums = parts.sum(0)
        scale_gradients = list(sums.split(filters)[1:])
        if not needs_x and partials is None:
            # The states of the first cells in an architecture step.
            return (None,) * (4 + 2 * units) + tuple(scale_gradients)
        d_outer = torch.empty_like(outer)
        d_outer2 = torch.empty_like(outer2) if geometry2 else d_outer
        slots = _slots(scales, seconds, firsts, kinds["POOLS"])
        _combined_gradient[(triton.cdiv(pixels * filters, ELEMENTS),)](
            gradient, outer2, outer, *moments2[:2], *moments[:2], *slots[: 2 * KINDS], sums,
            d_outer2, d_outer, pixels,
            CHANNELS=filters, SEPARABLE=seconds, DILATED=firsts - seconds, ELEMENTS=ELEMENTS,
        )  # fmt: skip
        grad_x = empty(batch, *x.shape[1:], like=x) if needs_x else None
        adds = False
        if grad_x is not None and len(scales) > firsts:
            d_pooled = torch.empty_like(pooled)
            _shared_gradient[(triton.cdiv(pixels * inputs, ELEMENTS),)](
                gradient, pooled, *moments0[:2], *slots[2 * KINDS :], sums, d_pooled, grad_x,
                pixels,
                CHANNELS=filters, OWN=inputs, FIRST=1 + firsts,
                POOLS=kinds["POOLS"], SKIP=shared.skip, ELEMENTS=ELEMENTS,
            )  # fmt: skip
            adds = shared.skip
            if kinds["POOLS"]:
                wanted = _pools_of(d_pooled, shared, inputs)
                stride = geometry.stride
                write_gradient(
                    *wanted,
                    pool_taps,
                    grad_x,
                    step=d_pooled.shape[1],
                    stride=stride,
                    adds=adds,
                )
                adds = True

        # 2. The second units, and the normalisation before them.
        if geometry2:
            groups = seconds * filters // inputs
            d_inner2 = multiply(d_outer2, packed.matrices2, groups, transposed=True)
            d_normalised = torch.empty_like(d_outer2)
            input_gradient(d_inner2, outer, packed.taps2, d_normalised, geometry2, moments)
            if partials is not None:
                own = partials.of(units + firsts, 2 * units)
                matrix_gradient(d_outer2, inner2, own, groups)
                filter_gradient(d_inner2, outer, partials.of(firsts, units), geometry2, moments)
            write_normalised_gradient(d_normalised, outer, moments, d_outer)

        # 3. The first units.
        groups = firsts * filters // inputs
        d_inner = multiply(d_outer, packed.matrices, groups, transposed=True)
        if grad_x is not None:
            input_gradient(d_inner, x, packed.taps, grad_x, geometry, None, adds=adds)
        if partials is not None:
            own = partials.of(units, units + firsts)
            matrix_gradient(d_outer, inner, own, groups)
            filter_gradient(d_inner, x, partials.of(0, firsts), geometry, None)

        weight_gradients: list[Tensor | None] = [None] * (2 * units)
        if partials is not None:
            weight_gradients = list(partials.sum())
        return (None, None, None, grad_x, *weight_gradients, *scale_gradients)


def _slots(scales: Sequence[Tensor], seconds: int, firsts: int, pools: int) -> list[Tensor]:
    """Return the scales for the kernels' arguments, which have two of each kind and a skip."""
    some = [scales[0]] * KINDS
    kinds = (scales[:seconds], scales[seconds:firsts], scales[firsts : firsts + pools])
    found = [scale for kind in kinds for scale in [*kind, *some][:KINDS]]
    return [*found, scales[-1]]


def _pools_of(x: Tensor, shared: Shared, channels: int) -> tuple[Tensor | None, Tensor | None]:
    """Return the slices of the maximum and of the mean; None: there is no such pool."""
    maximum = None if shared.maximum is None else x[:, :channels]
    return maximum, None if shared.mean is None else x[:, x.shape[1] - channels :]
