"""Samples of Dirichlet distributions."""

import pytest
import torch

from ltnas import config as c
from ltnas.axes.build import build_relaxation
from ltnas.axes.dirichlet import concentrations, kl_to_uniform


def test_concentrations_are_elu_plus_one_and_never_zero():
    points = torch.tensor([-5.0, -1.0, 0.0, 1.0, 5.0], dtype=torch.float64)
    wanted = torch.tensor([0.006738, 0.367879, 1.0, 2.0, 6.0], dtype=torch.float64)
    torch.testing.assert_close(concentrations(points), wanted, rtol=0, atol=1e-6)
    assert (concentrations(torch.tensor([-20.0, -200.0])) > 0).all()


@pytest.mark.parametrize(
    ("row", "wanted"), [([1.0] * 7, 0.0), ([2.0] + [1.0] * 6, 0.353053), ([0.5] * 7, 1.348501)]
)
def test_divergence_from_the_uniform_distribution(row, wanted):
    found = kl_to_uniform(torch.tensor([row], dtype=torch.float64))
    assert float(found) == pytest.approx(wanted, abs=1e-6)
    distribution = torch.distributions.Dirichlet(torch.tensor(row, dtype=torch.float64))
    uniform = torch.distributions.Dirichlet(torch.ones(7, dtype=torch.float64))
    assert float(found) == pytest.approx(
        float(torch.distributions.kl_divergence(distribution, uniform)), abs=1e-9
    )


def samples(parameters, draws):
    """Samples of many edges with the same parameters, [draws, operations]."""
    module = build_relaxation(c.Dirichlet(), draws, len(parameters)).double()
    module.draw(torch.Generator().manual_seed(0))
    return module({"normal": parameters.expand(draws, -1)})["normal"]


@pytest.mark.parametrize("shift", [-3.0, 0.0, 2.0])
def test_samples_have_mean_and_variance_of_the_distribution(shift):
    parameters = torch.tensor([0.3, -0.5, 0.0, 1.0], dtype=torch.float64) + shift
    found = samples(parameters, 40_000)
    beta = concentrations(parameters)
    mean = beta / beta.sum()
    variance = mean * (1 - mean) / (beta.sum() + 1)
    # Five standard deviations of a mean of 40,000 samples of standard deviation 1/2 at most.
    torch.testing.assert_close(found.mean(0), mean, rtol=0, atol=0.0125)
    torch.testing.assert_close(found.var(0), variance, rtol=0, atol=0.0125)
    torch.testing.assert_close(found.sum(-1), torch.ones(40_000, dtype=torch.float64))


def test_the_pathwise_gradient_is_that_of_the_expectation():
    parameters = torch.tensor([0.3, -0.5, 0.8], dtype=torch.float64).requires_grad_()
    factors = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    # E[(factors . theta)^2] in closed form, from the mixed moments of the distribution:
    # E[theta_i theta_j] = (b_i b_j + [i = j] b_i) / B (B + 1).
    beta = concentrations(parameters)
    total = beta.sum()
    second = (torch.outer(beta, beta) + torch.diag(beta)) / (total * (total + 1))
    (wanted,) = torch.autograd.grad(factors @ second @ factors, parameters)
    value = ((samples(parameters, 100_000) * factors).sum(-1) ** 2).mean()
    (found,) = torch.autograd.grad(value, parameters)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.02)


def test_very_small_concentrations_give_finite_samples_and_gradients():
    parameters = torch.full((4,), -30.0, dtype=torch.float64).requires_grad_()
    found = samples(parameters, 1000)
    (gradient,) = torch.autograd.grad((found**2).sum(), parameters)
    assert found.isfinite().all()
    assert gradient.isfinite().all()


def test_outside_of_training_the_mean():
    module = build_relaxation(c.Dirichlet(), 1, 3).eval()
    module.draw(torch.Generator().manual_seed(0))
    beta = torch.tensor([2.0, 1.0, 1.0])
    parameters = {"normal": torch.tensor([[1.0, 0.0, 0.0]])}
    torch.testing.assert_close(module(parameters)["normal"][0], beta / 4)
    torch.testing.assert_close(module.expected(parameters)["normal"][0], beta / 4)
