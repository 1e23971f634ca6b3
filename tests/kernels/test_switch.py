"""The context in which no kernels compute."""

import torch

from ltnas.kernels import eligibility
from ltnas.kernels.switch import without_kernels
from ltnas.models.rectified import RectifiedConvNorm


def test_kernels_take_nothing_inside_of_the_context():
    x = torch.zeros(1)
    with without_kernels():
        inside = eligibility.takes(x)
    assert (inside, eligibility.takes(x)) == (False, True)


def test_contexts_nest_and_end_with_an_error():
    try:
        with without_kernels():
            with without_kernels():
                pass
            assert not eligibility.takes(torch.zeros(1))
            raise ValueError
    except ValueError:
        assert eligibility.takes(torch.zeros(1))


def test_results_are_the_same_and_have_second_derivatives():
    torch.manual_seed(0)
    module = RectifiedConvNorm(2, 4, affine=True).double()
    x = torch.randn(3, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    expected = module(x)
    with without_kernels():
        y = module(x)
    torch.testing.assert_close(y, expected)
    (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    assert second.abs().sum() > 0
