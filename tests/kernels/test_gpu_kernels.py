"""GPU kernels, run by Triton's interpreter, beside PyTorch in float64."""

import statistics

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.gpu_calls import Call
from benchmarks.gpu_kernels import compare, make
from ltnas.kernels.eligibility import known_to_gpu
from ltnas.kernels.gpu import (
    depthwise,
    normalise,
    pointwise,
    pools,
    split,
    triton_candidates_gradients,
    triton_candidates_sum,
    triton_depthwise_forward,
    triton_depthwise_input,
    triton_depthwise_weights,
    triton_normalisation_moments,
    triton_pointwise,
    triton_pools,
    triton_units,
    unit_layers,
    weighted_sum,
)
from ltnas.kernels.gpu.layout import dense, pixel_stride

pytestmark = pytest.mark.usefixtures("quick_interpreter")
TOLERANCE = {torch.float32: 3e-5, torch.bfloat16: 1e-2}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def images(*shape, dtype=torch.float32):
    """Return random numbers in channels-last memory, exact in the type, with gradients."""
    return dense(torch.randn(shape).to(dtype)).requires_grad_()


def error(x, expected):
    expected = expected.detach().double()
    return float((x.detach().double() - expected).norm() / expected.norm().clamp_min(1e-9))


def gradients(y, inputs, gradient):
    return torch.autograd.grad(
        y, inputs, gradient.to(y.dtype), allow_unused=True, materialize_grads=True
    )


def check(ours, theirs, inputs, dtype):
    """Compare outputs and all gradients of two functions of the same inputs."""
    wide = [x.detach().double().requires_grad_() for x in inputs]
    y, expected = ours(*inputs), theirs(*wide)
    assert error(y, expected) < TOLERANCE[dtype]
    gradient = torch.randn_like(expected).to(dtype)
    for found, wanted in zip(
        gradients(y, inputs, gradient), gradients(expected, wide, gradient), strict=True
    ):
        assert error(found, wanted) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (5, 2, 1), (3, 2, 2), (5, 1, 2)]
)
@pytest.mark.parametrize("rectify", [True, False])
def test_depthwise(kernel, stride, dilation, rectify, dtype):
    """Two edges share three channels; the sizes are no multiples of any block."""
    x, weight = images(2, 3, 6, 10, dtype=dtype), torch.randn(6, 1, kernel, kernel)

    def ours(x, weight):
        return depthwise(x, weight, stride=stride, dilation=dilation, rectify=rectify)

    def theirs(x, weight):
        x = F.relu(x) if rectify else x
        padding = kernel // 2 * dilation
        return F.conv2d(
            torch.cat([x, x], 1),
            weight,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=6,
        )

    check(ours, theirs, [x, weight.requires_grad_()], dtype)


def test_depthwise_of_many_parts(monkeypatch):
    """The weight gradient is a sum over parts, of which the last is not full."""
    monkeypatch.setattr(triton_depthwise_weights, "PROGRAMS", 400)
    x, weight = images(3, 20, 9, 9), torch.randn(20, 1, 3, 3, requires_grad=True)
    check(
        lambda x, w: depthwise(x, w, stride=1, dilation=1, rectify=False),
        lambda x, w: F.conv2d(x, w, padding=1, groups=20),
        [x, weight],
        torch.float32,
    )


def test_depthwise_of_a_slice_of_channels():
    whole = dense(torch.randn(2, 12, 6, 6))
    part, weight = whole[:, 4:8], torch.randn(8, 1, 3, 3)
    assert pixel_stride(part) == 12
    y = depthwise(part, weight, stride=1, dilation=1, rectify=True)
    expected = F.conv2d(F.relu(torch.cat([part, part], 1)), weight, padding=1, groups=8)
    assert error(y, expected) < 1e-5


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("groups", "inputs", "outputs"), [(3, 4, 4), (1, 70, 140), (2, 16, 32)])
def test_pointwise(groups, inputs, outputs, dtype):
    x = images(2, groups * inputs, 7, 11, dtype=dtype)
    # Exact in bf16, in which the kernel multiplies.
    weight = torch.randn(groups * outputs, inputs, 1, 1).bfloat16().float().requires_grad_()
    check(
        lambda x, w: pointwise(x, w, groups),
        lambda x, w: F.conv2d(x, w, groups=groups),
        [x, weight],
        dtype,
    )


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("added", [True, False])
def test_normalise(added, scaled, dtype):
    """A mean far from zero, which a difference of sums of squares would not survive."""
    layer, reference = (nn.BatchNorm2d(5, affine=False) for _ in range(2))
    reference.double()
    x = dense(images(6, 5, 21, 17, dtype=dtype).detach() * 3 + 40).requires_grad_()
    inputs = {"x": x}
    if scaled:
        inputs |= {name: torch.rand(5, requires_grad=True) for name in ("scale", "shift")}
    if added:
        inputs["onto"] = images(6, 5, 21, 17, dtype=dtype)

    def ours(*values):
        named = dict(zip(inputs, values, strict=True))
        return normalise(layer, **named)

    def theirs(*values):
        named = dict(zip(inputs, values, strict=True))
        y = reference(named["x"])
        if scaled:
            y = y * named["scale"].view(-1, 1, 1) + named["shift"].view(-1, 1, 1)
        return named["onto"] + y if added else y

    check(ours, theirs, list(inputs.values()), dtype)
    assert error(layer.running_mean, reference.running_mean) < TOLERANCE[dtype]
    assert error(layer.running_var, reference.running_var) < TOLERANCE[dtype]
    assert layer.num_batches_tracked == reference.num_batches_tracked == 1


def test_normalise_leaves_frozen_statistics_alone():
    layer = nn.BatchNorm2d(4, affine=False)
    layer.track_running_stats = False
    normalise(layer, images(2, 4, 3, 3), None, None)
    assert not layer.running_mean.any()
    assert layer.num_batches_tracked == 0


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("weighted", "plain"), [(0, 3), (1, 0), (11, 2), (8, 1)])
def test_weighted_sum(weighted, plain, dtype):
    """More terms than a launch takes; one is a slice of channels of a larger tensor."""
    whole = images(3, 15, 7, 9, dtype=dtype)
    others = [images(3, 5, 7, 9, dtype=dtype) for _ in range(weighted + plain - 1)]
    weights = torch.rand(weighted + 1, requires_grad=True)

    def terms(whole, weights, *others):
        scalars = [*weights[:weighted], *[None] * plain]
        return list(zip([*others, whole[:, 5:10]], scalars, strict=True))

    def theirs(*inputs):
        return sum(x if weight is None else x * weight for x, weight in terms(*inputs))

    check(lambda *inputs: weighted_sum(terms(*inputs)), theirs, [whole, weights, *others], dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kinds", [("max", "avg"), ("max",), ("avg",)], ids="+".join)
def test_pools(kinds, stride, dtype):
    """The state is a slice of channels and has equal values, of which the first is the maximum."""
    whole = dense(torch.randint(-3, 3, (2, 8, 5, 6)).to(dtype))
    x = whole[:, 2:5].requires_grad_()

    def ours(x):
        found = pools(x, stride, maximum="max" in kinds, mean="avg" in kinds)
        return torch.cat(
            [y for y, kind in zip(found, ("max", "avg"), strict=True) if kind in kinds]
        )

    def theirs(x):
        found = {
            "max": F.max_pool2d(x, 3, stride, 1),
            "avg": F.avg_pool2d(x, 3, stride, 1, count_include_pad=False),
        }
        return torch.cat([found[kind] for kind in kinds])

    check(ours, theirs, [x], dtype)


@pytest.mark.parametrize(("side", "stride"), [(1, 1), (2, 2)])
def test_pools_of_one_pixel(side, stride):
    """PyTorch calls such tensors channels-last, whatever the distance of their pixels is."""
    x = images(2, 3, side, side)
    gradient = torch.randn(2, 3, 1, 1)
    maximum, mean = pools(x, stride, maximum=True, mean=True)
    expected = F.max_pool2d(x, 3, stride, 1), F.avg_pool2d(x, 3, stride, 1, False, False)
    for y, wanted in zip((maximum, mean), expected, strict=True):
        (found,) = torch.autograd.grad(y, x, gradient, retain_graph=True)
        (correct,) = torch.autograd.grad(wanted, x, gradient, retain_graph=True)
        assert error(found, correct) < 1e-6


def agree(call, dtype):
    """Compare several units with PyTorch.

    In bfloat16 single gradients may differ, as the sign of what is rectified depends on rounding;
    most must be as near to those in float32 as those of PyTorch in bfloat16. Few operations have
    ten gradients, too few for a median, so that those of five directions are pooled.
    """
    work = make(call, "cpu", dtype)

    def errors(function, directions):
        found = []
        for seed in range(directions):
            torch.manual_seed(1 + seed)
            found += compare(function, work)
        return found

    if dtype == torch.float32:
        assert max(errors(work.ours, 1)) < 3e-5
        return
    directions = 5 if call.kernel == "operations" else 1
    ours, theirs = (
        statistics.median(errors(part, directions)) for part in (work.ours, work.theirs)
    )
    assert ours < 1.5 * theirs


FOUR = ((3, 1), (5, 1), (3, 2), (5, 2))
"""Kernel and dilation of the convolutions of DARTS, the separable ones first."""


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(
    ("edges", "stride", "convolutions", "separable", "shared"),
    [
        (2, 1, FOUR, 2, (True, True, True)),
        (3, 2, FOUR, 2, (True, True, False)),
        (1, 1, ((5, 1), (3, 2)), 1, (False, True, False)),
        (2, 1, ((3, 2),), 0, (True, False, True)),
        (2, 2, ((3, 1),), 1, (False, False, False)),
        (2, 1, FOUR, 2, (False, False, True)),
    ],
)
def test_candidates(edges, stride, convolutions, separable, shared, dtype):
    """Maximum, mean and skip connection are shared by the edges; sizes are odd at stride 1."""
    shape = (2, 4, 6, 7 if stride == 1 else 6)
    agree(Call("candidates", shape, (edges, stride, convolutions, separable, shared)), dtype)


@pytest.fixture
def small_programs(monkeypatch):
    """Divide the work of small tensors among several programs, and sums into several parts."""
    depthwise = (triton_depthwise_forward, triton_depthwise_input, triton_depthwise_weights)
    candidates = (triton_candidates_gradients, triton_candidates_sum)
    for module in (*candidates, *depthwise, triton_pools):
        monkeypatch.setattr(module, "ELEMENTS", 64)
    monkeypatch.setattr(triton_candidates_gradients, "TILE", 128)
    monkeypatch.setattr(triton_normalisation_moments, "ELEMENTS", 128)
    monkeypatch.setattr(triton_units, "PACKED", 64)
    monkeypatch.setattr(unit_layers, "PART_PIXELS", 30)
    monkeypatch.setattr(unit_layers, "part_pixels", lambda inputs: 16)
    monkeypatch.setattr(triton_pointwise, "part_pixels", lambda inputs: 16)


@pytest.mark.parametrize("stride", [1, 2])
def test_candidates_of_many_programs(small_programs, stride):
    """Channels are no multiple of any block, and there are two parts of pixels after the stride."""
    shape = (1, 20, 5, 7) if stride == 1 else (1, 20, 7, 9)
    both = ((5, 1), (3, 2))
    agree(Call("candidates", shape, (2, stride, both, 1, (True, True, stride == 1))), torch.float32)


def test_operations_of_many_programs(small_programs):
    call = Call("operations", (1, 20, 7, 5), (1, ((3, 1, 2), (5, 1, 2)), True))
    agree(call, torch.float32)


@pytest.mark.parametrize("frozen", ["weights", "state", "both"])
def test_candidates_compute_only_wanted_gradients(frozen):
    """The architecture step needs no gradients of weights, and its first cells none of states."""
    settings = (2, 1, FOUR, 2, (True, True, True))
    work = make(Call("candidates", (1, 2, 5, 4), settings), "cpu", torch.float32)
    state, *others = work.inputs
    for tensor in others:
        if tensor.dim() > 1 and frozen in ("weights", "both"):
            tensor.requires_grad_(False)
    state.requires_grad_(frozen == "weights")
    assert max(compare(work.ours, work)) < 3e-5


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(
    ("stride", "operations", "dropped"),
    [
        (1, ((3, 1, 2), (5, 1, 2), (3, 1, 2)), True),
        (2, ((3, 2, 1), (5, 2, 1)), False),
        (2, ((3, 1, 2),), True),
    ],
)
def test_operations(stride, operations, dropped, dtype):
    """Operations are given by kernel, dilation and number of units."""
    shape = (2, 4, 6, 7 if stride == 1 else 6)
    agree(Call("operations", shape, (stride, operations, dropped)), dtype)


@pytest.mark.parametrize("parts", [1, 3, 9])
def test_split(parts):
    """One of the parts has no gradient; more than eight are left to PyTorch."""
    x = images(2, 2 * parts, 3, 4)

    def ours(x):
        first, *others = split(x, 2)
        return first * 2 + sum(others[1:])

    def theirs(x):
        first, *others = x.split(2, 1)
        return first * 2 + sum(others[1:])

    check(ours, theirs, [x], torch.float32)


def test_a_single_pixel_cannot_be_normalised():
    """Its variance is unknown, and would fill the running one with NaN."""
    with pytest.raises(ValueError, match="single pixel"):
        normalise(nn.BatchNorm2d(2), images(1, 2, 1, 1))


def test_layers_without_exponential_averages_are_left_to_pytorch():
    assert known_to_gpu(nn.BatchNorm2d(2))
    assert not known_to_gpu(nn.BatchNorm2d(2, momentum=None))
    assert not known_to_gpu(nn.BatchNorm2d(2).eval())
    assert not known_to_gpu(nn.SyncBatchNorm(2))
