"""Mixing weights."""

import pytest
import torch

from ltnas.axes.build import build_relaxation
from ltnas.axes.relaxations import initial_parameters
from ltnas.config import Sigmoid, Softmax


def test_softmax_shares_one_among_the_operations_of_an_edge():
    parameters = torch.randn(14, 8, dtype=torch.float64)
    weights = build_relaxation(Softmax(), 14, 8)({"normal": parameters})["normal"]
    wanted = parameters.exp() / parameters.exp().sum(1, keepdim=True)
    torch.testing.assert_close(weights, wanted)


def test_sigmoid_gates_do_not_compete():
    parameters = torch.zeros(14, 7, dtype=torch.float64)
    relaxation = build_relaxation(Sigmoid(), 14, 7)
    assert relaxation({"normal": parameters})["normal"].eq(0.5).all()
    parameters[3, 2] = 1.5
    weights = relaxation({"normal": parameters})["normal"]
    assert (weights != 0.5).sum() == 1
    assert float(weights[3, 2]) == pytest.approx(1 / (1 + 2.718281828459045**-1.5))


def test_sigmoid_starts_at_one_half_and_softmax_near_equal_shares():
    assert Sigmoid().initial_deviation == 0
    assert Softmax().initial_deviation == 1e-3


@pytest.mark.parametrize("config", [Softmax(), Sigmoid()])
def test_without_noise_the_expected_weights_are_the_weights(config):
    relaxation = build_relaxation(config, 5, 8)
    parameters = {kind: torch.randn(5, 8) for kind in ("normal", "reduce")}
    before = relaxation(parameters)
    relaxation.draw(torch.Generator().manual_seed(0))
    relaxation.set_epoch(1, 2)
    for kind, weights in relaxation.expected(parameters).items():
        assert torch.equal(weights, before[kind])


def test_relaxations_own_no_parameters():
    assert not list(build_relaxation(Softmax(), 14, 8).parameters())


def test_initial_parameters_are_drawn_kind_after_kind():
    torch.manual_seed(3)
    drawn = initial_parameters(0.5, ("normal", "reduce"), 5, 8)
    torch.manual_seed(3)
    for kind in ("normal", "reduce"):
        assert torch.equal(drawn[kind].detach(), 0.5 * torch.randn(5, 8))
