"""Mixing weights."""

import pytest
import torch

from ltnas.axes.relaxations import build_relaxation
from ltnas.config import Sigmoid, Softmax


def test_softmax_shares_one_among_the_operations_of_an_edge():
    parameters = torch.randn(14, 8, dtype=torch.float64)
    weights = build_relaxation(Softmax())(parameters)
    wanted = parameters.exp() / parameters.exp().sum(1, keepdim=True)
    torch.testing.assert_close(weights, wanted)


def test_sigmoid_gates_do_not_compete():
    parameters = torch.zeros(14, 7, dtype=torch.float64)
    relax = build_relaxation(Sigmoid())
    assert relax(parameters).eq(0.5).all()
    parameters[3, 2] = 1.5
    changed = relax(parameters) != 0.5
    assert changed.sum() == 1
    assert float(relax(parameters)[3, 2]) == pytest.approx(1 / (1 + 2.718281828459045**-1.5))


def test_sigmoid_starts_at_one_half_and_softmax_near_equal_shares():
    assert Sigmoid().initial_deviation == 0
    assert Softmax().initial_deviation == 1e-3
