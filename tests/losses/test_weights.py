"""Weights of classes: the published numbers and their limits."""

import pytest
import torch

from ltnas.losses.weights import effective_number, inverse_frequency

EXP = torch.tensor([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50])


def test_effective_numbers_of_the_exponential_tail():
    """The weights that LDAM-DRW's second stage trains CIFAR-10 with, mu = 0.01."""
    expected = [0.051, 0.077, 0.121, 0.195, 0.319, 0.525, 0.868, 1.443, 2.409, 3.993]
    torch.testing.assert_close(
        effective_number(EXP, 0.9999), torch.tensor(expected).double(), atol=6e-4, rtol=0
    )


def test_effective_numbers_of_a_step():
    found = effective_number(torch.tensor([5000] * 5 + [50] * 5), 0.9999)
    assert found[0] == pytest.approx(0.025, abs=6e-4)
    assert found[9] == pytest.approx(1.975, abs=6e-4)


def test_effective_numbers_are_their_sum():
    """E_n is 1 + beta + ... + beta^(n - 1)."""
    found = effective_number(EXP, 0.99)
    numbers = torch.tensor([sum(0.99**i for i in range(n)) for n in EXP.tolist()]).double()
    torch.testing.assert_close(found * numbers, (found * numbers)[:1].expand(10))


def test_limits_of_beta():
    torch.testing.assert_close(effective_number(EXP, 0.0), torch.ones(10).double())
    torch.testing.assert_close(effective_number(EXP, 1.0), inverse_frequency(EXP, 1.0))
    torch.testing.assert_close(
        effective_number(EXP, 1 - 1e-12), inverse_frequency(EXP, 1.0), rtol=1e-3, atol=0
    )


def test_inverse_frequency():
    found = inverse_frequency(EXP, 1.0)
    torch.testing.assert_close(found * EXP, (found * EXP)[:1].expand(10))
    torch.testing.assert_close(inverse_frequency(EXP, 0.0), torch.ones(10).double())
    roots = inverse_frequency(EXP, 0.5)
    torch.testing.assert_close(roots[9] / roots[0], torch.tensor(10.0).double())


@pytest.mark.parametrize("weigh", [effective_number, inverse_frequency])
@pytest.mark.parametrize("constant", [0.0, 0.5, 1.0])
def test_weights_have_mean_one_and_balanced_classes_have_none(weigh, constant):
    torch.testing.assert_close(weigh(EXP, constant).mean(), torch.tensor(1.0).double())
    torch.testing.assert_close(weigh(torch.full((7,), 30), constant), torch.ones(7).double())
