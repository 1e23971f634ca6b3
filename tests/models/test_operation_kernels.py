"""Operations of the discrete network by kernels: equal to their modules."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ltnas.distributed.batch_norm import GlobalBatchNorm
from ltnas.models import operation_kernels
from ltnas.models.operation_kernels import run_operation
from ltnas.models.operations import operation

NAMES = ["sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"]


def learned(name, channels, stride, dtype=torch.float64):
    """Return an operation with random normalisations, of which one scale is nearly zero."""
    torch.manual_seed(0)
    module = operation(name, channels, stride, affine=True).to(dtype)
    with torch.no_grad():
        for layer in module:
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.normal_()
                layer.weight[0] = 1e-12
                layer.bias.normal_()
    return module.to(memory_format=torch.channels_last)


def results(run, module, x, g):
    """Return the output, the gradients of input and parameters, and the buffers."""
    x = x.detach().requires_grad_()
    y = run(module, x)
    gradients = torch.autograd.grad(y, (x, *module.parameters()), g)
    return [y, *gradients, *module.buffers()]


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """Return a list that gets an entry for each use of the kernels."""
    calls = []
    apply = operation_kernels._Operation.apply
    monkeypatch.setattr(
        operation_kernels._Operation, "apply", lambda *a: calls.append(1) or apply(*a)
    )
    return calls


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(NAMES),
    channels=st.integers(1, 21),
    stride=st.sampled_from([1, 2]),
    sides=st.tuples(st.sampled_from([2, 4, 10, 34]), st.sampled_from([2, 6, 8])),
)
def test_equal_to_the_modules(name, channels, stride, sides):
    module = learned(name, channels, stride)
    plain = copy.deepcopy(module)
    x = torch.randn(3, channels, *sides).double().contiguous(memory_format=torch.channels_last)
    g = torch.randn(3, channels, sides[0] // stride, sides[1] // stride).double()
    expected = results(lambda m, x: m(x), plain, x, g)
    for ours, theirs in zip(results(run_operation, module, x, g), expected, strict=True):
        error = (ours - theirs).double().norm() / (theirs.double().norm() + 1e-3)
        assert error <= 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_equal_in_float32_and_in_evaluation(name, counted):
    module = learned(name, 36, 1, torch.float32)
    plain = copy.deepcopy(module)
    x, g = torch.randn(8, 36, 16, 16), torch.randn(8, 36, 16, 16)
    expected = results(lambda m, x: m(x), plain, x, g)
    for ours, theirs in zip(results(run_operation, module, x, g), expected, strict=True):
        assert (ours - theirs).double().norm() <= 1e-4 * theirs.double().norm()
    with torch.no_grad():
        torch.testing.assert_close(run_operation(module.eval(), x), plain.eval()(x))
    assert len(counted) == 2


def test_modules_compute_what_kernels_cannot(counted):
    x = torch.randn(2, 4, 8, 8)
    module = operation("sep_conv_3x3", 4, 1, affine=True)
    module[7] = GlobalBatchNorm(module[7])
    others = (
        (module, x),
        (operation("sep_conv_3x3", 4, 1, affine=True).eval(), x.requires_grad_()),
        (operation("sep_conv_3x3", 4, 1, affine=False), x),
        (operation("dil_conv_5x5", 4, 2, affine=True).half(), x.half()),
        (operation("dil_conv_5x5", 4, 2, affine=True), torch.randn(2, 4, 7, 8)),
        (operation("max_pool_3x3", 4, 2, affine=True), x),
    )
    for other, state in others:
        plain = copy.deepcopy(other)
        assert torch.equal(run_operation(other, state), plain(state))
    assert not counted


@pytest.mark.parametrize("hook", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_inside_are_called(counted, hook):
    module, x = operation("sep_conv_3x3", 4, 1, affine=True), torch.randn(2, 4, 8, 8)
    called = []
    handle = getattr(module[5], hook)(lambda *arguments: called.append(1))
    hooked = run_operation(module, x)
    assert called == [1]
    assert not counted
    handle.remove()
    torch.testing.assert_close(run_operation(module, x), hooked)
    assert counted
    assert called == [1]
