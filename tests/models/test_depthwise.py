"""Depthwise convolutions, whose gradients are correct where PyTorch's own are not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ltnas.models.depthwise import depthwise


def gradients(convolve, x, weight, g):
    x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
    y = convolve(x, weight)
    return y, *torch.autograd.grad(y, (x, weight), g.to(y.dtype))


def compare(kernel, stride, dilation, shape, dtype, tolerance):
    torch.manual_seed(0)
    x = torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(shape[1], 1, kernel, kernel).to(dtype)
    padding = kernel // 2 * dilation

    def plain(x, weight):
        return functional.conv2d(x, weight, None, stride, padding, dilation, groups=shape[1])

    g = torch.randn(plain(x.double(), weight.double()).shape).to(dtype)
    expected = gradients(plain, x.double().contiguous(), weight.double(), g.double())
    actual = gradients(lambda x, w: depthwise(x, w, stride, dilation), x, weight, g)
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.dtype == dtype
        assert (ours.double() - theirs).norm() <= tolerance * theirs.norm()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    kernel=st.sampled_from([3, 5]),
    stride=st.sampled_from([1, 2]),
    dilation=st.sampled_from([1, 2]),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
)
def test_equal_in_float64(kernel, stride, dilation, shape):
    compare(kernel, stride, dilation, shape, torch.float64, 1e-12)


@pytest.mark.parametrize("side", [24, 31, 32, 40])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (5, 1), (3, 2), (5, 2)])
def test_right_in_bf16(kernel, dilation, stride, side):
    """PyTorch 2.15 gets the weight gradient of dilated kernels wrong from 31 pixels up."""
    compare(kernel, stride, dilation, (4, 16, side, side), torch.bfloat16, 2e-2)


def test_autocast_is_right_too():
    torch.manual_seed(0)
    x, weight = torch.randn(4, 16, 32, 32), torch.randn(16, 1, 3, 3)
    (expected,) = torch.autograd.grad(
        functional.conv2d(x, w := weight.requires_grad_(), None, 1, 2, 2, 16).square().sum(), w
    )
    with torch.autocast("cpu", torch.bfloat16):
        y = depthwise(x, weight, 1, 2)
    assert y.dtype == torch.bfloat16
    (actual,) = torch.autograd.grad(y.float().square().sum(), weight)
    assert actual.dtype == torch.float32
    assert (actual - expected).norm() <= 2e-2 * expected.norm()
