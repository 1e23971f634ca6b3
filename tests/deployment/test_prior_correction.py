"""Probabilities for other class frequencies than those of the training."""

import pytest
import torch
from trained import saved_network

from ltnas.deployment.prior_correction import prior_shift, probabilities
from ltnas.errors import UserError
from ltnas.models.saved import load_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved_network(tmp_path_factory.mktemp("run"))


@pytest.fixture
def network(folder):
    return load_network(folder)


def test_bayes_rule_with_numbers(network):
    # p(y | x) = (0.5, 0.3, 0.2), frequencies of the training (0.6, 0.3, 0.1).
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log()
    uniform = probabilities(logits, prior_shift(network, "uniform"))
    ratios = torch.tensor([0.5 / 0.6, 0.3 / 0.3, 0.2 / 0.1], dtype=torch.float64)
    assert torch.allclose(uniform[0], ratios / ratios.sum())
    given = probabilities(logits, prior_shift(network, [2, 0, 2]))
    assert torch.allclose(given[0], torch.tensor([0.5 / 0.6, 0, 2.0]).double() / (0.5 / 0.6 + 2))


def test_frequencies_of_the_training_change_nothing(network):
    assert prior_shift(network, "training").tolist() == [0, 0, 0]
    # Nor does a list with the same frequencies in other units.
    assert torch.allclose(prior_shift(network, [60, 30, 10]), torch.zeros(3).double(), atol=1e-12)


def test_a_wrong_number_of_frequencies(network):
    with pytest.raises(UserError, match=r"prior=\[1, 2\] has 2 numbers, but the network has 3"):
        prior_shift(network, [1, 2])


def test_a_network_that_does_not_know_its_frequencies(tmp_path):
    old = load_network(saved_network(tmp_path, prior=None))
    assert prior_shift(old, "training").tolist() == [0, 0, 0]
    with pytest.raises(UserError, match="did not keep the class frequencies"):
        prior_shift(old, "uniform")


def test_a_temperature_divides_logits_before_the_shift():
    logits, shift = torch.tensor([[1.0, 3.0]]), torch.tensor([0.5, 0.0])
    expected = torch.tensor([[1.0, 1.5]]).softmax(1).double()
    torch.testing.assert_close(probabilities(logits, shift, temperature=2.0), expected)
