"""ReLU, 1x1 convolution and normalisation in one: equal to the three modules."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from ltnas.models import rectified
from ltnas.models.rectified import RectifiedConv, RectifiedConvNorm


class Plain(nn.Sequential):
    """The three modules."""

    def __init__(self, ours):
        (_, conv, norm), (outputs, inputs) = ours, ours[1].weight.shape[:2]
        super().__init__(nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), copy.deepcopy(norm))
        self[1].weight = nn.Parameter(conv.weight.detach().clone())


def learned(inputs, outputs, affine=True, dtype=torch.float64):
    """Return a module with a random normalisation."""
    torch.manual_seed(0)
    module = RectifiedConvNorm(inputs, outputs, affine)
    if affine:
        with torch.no_grad():
            module[2].weight.normal_()
            module[2].bias.normal_()
    return module.to(dtype)


def results(module, x, g):
    """Return the output, the gradients of input and parameters, and the buffers."""
    x = x.detach().requires_grad_()
    y = module(x)
    return [y, *torch.autograd.grad(y, (x, *module.parameters()), g), *module.buffers()]


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """Return a list that gets an entry for each use of the kernels."""
    calls = []
    apply = rectified._Normalised.apply
    monkeypatch.setattr(rectified._Normalised, "apply", lambda *a: calls.append(1) or apply(*a))
    return calls


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 21),
    sides=st.tuples(st.sampled_from([1, 3, 16, 33]), st.integers(2, 6)),
    affine=st.booleans(),
    last=st.booleans(),
)
def test_equal_to_the_modules(inputs, outputs, sides, affine, last):
    module = learned(inputs, outputs, affine)
    x, g = torch.randn(3, inputs, *sides).double(), torch.randn(3, outputs, *sides).double()
    if last:
        x = x.contiguous(memory_format=torch.channels_last)
    expected = results(Plain(module), x, g)
    for ours, theirs in zip(results(module, x, g), expected, strict=True):
        error = (ours - theirs).double().norm() / (theirs.double().norm() + 1e-3)
        assert error <= 1e-9


def test_equal_in_float32_and_in_evaluation(counted):
    module = learned(144, 36, dtype=torch.float32)
    plain = Plain(module)
    x, g = torch.randn(8, 144, 16, 16), torch.randn(8, 36, 16, 16)
    for ours, theirs in zip(results(module, x, g), results(plain, x, g), strict=True):
        assert (ours - theirs).double().norm() <= 1e-4 * theirs.double().norm()
    with torch.no_grad():
        torch.testing.assert_close(module.eval()(x), plain.eval()(x))
    assert len(counted) == 2


@pytest.mark.parametrize("wanted", ["x", "weight"])
def test_gradients_that_are_not_needed_are_left_out(wanted, counted):
    module = learned(6, 5)
    x = torch.randn(2, 6, 4, 4).double().requires_grad_()
    tensor = {"x": x, "weight": module[1].weight}[wanted]
    (actual,) = torch.autograd.grad(module(x).square().sum(), tensor)
    (expected,) = torch.autograd.grad(
        Plain(module)[2](functional.conv2d(x.relu(), module[1].weight)).square().sum(), tensor
    )
    torch.testing.assert_close(actual, expected)
    assert len(counted) == 1


def test_modules_compute_what_kernels_cannot(counted):
    x = torch.randn(2, 6, 4, 4).double()
    module, seen = learned(6, 5), []
    module[1].register_forward_hook(lambda *_: seen.append(1))
    module(x)
    assert seen == [1]
    replaced = learned(6, 5)  # another type, as in distributed training
    replaced[2] = nn.InstanceNorm2d(5).double()
    torch.testing.assert_close(replaced(x), nn.InstanceNorm2d(5)(replaced[1](x)))
    with torch.autocast("cpu", torch.bfloat16):
        learned(6, 5, dtype=torch.float32)(x.float())
    evaluated = learned(6, 5).eval()  # with a gradient through running statistics
    evaluated(x.requires_grad_()).sum().backward()
    assert not counted


def test_the_convolution_saves_only_its_input_and_supports_autocast():
    conv, kept = RectifiedConv(6, 5), []
    x = torch.randn(2, 6, 4, 4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = conv(x)
    assert {t.data_ptr() for t in kept} == {x.data_ptr(), conv.weight.data_ptr()}
    expected = functional.conv2d(functional.relu(x), conv.weight)
    gradients = [torch.autograd.grad(out.square().sum(), (x, conv.weight)) for out in (y, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)
    with torch.autocast("cpu", torch.bfloat16):
        low = conv(x)
    assert low.dtype == torch.bfloat16
    actual = torch.autograd.grad(low.float().square().sum(), (x, conv.weight))
    for ours, theirs in zip(actual, gradients[1], strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=0.1, atol=0.3)
