"""Correlations of input gradients whose eigenvalues are known."""

import math

import pytest
from tiny_networks import cells, flat, linear, pixels, random_batch
from torch import nn

from ltnas.proxies.jacov import jacov

K = 1e-5


class Square(nn.Module):
    """x^2 / 2, whose gradient is x."""

    def forward(self, x):
        return x.square() / 2


def score(*eigenvalues):
    return -sum(math.log(value + K) + 1 / (value + K) for value in eigenvalues)


def test_a_linear_network_correlates_fully():
    batch = pixels([1, 2, 3], [-1, 5, 0], [0, 1, 0])
    assert jacov(flat(linear([1, 2, 4])), batch, 0) == pytest.approx(score(3, 0, 0), rel=1e-6)


def test_two_gradients_with_a_known_correlation():
    # Without their means (1, 0, -1) and (1, -1, 0): the correlation is 1 / 2.
    batch = pixels([3, 2, 1], [2, 0, 1])
    assert jacov(flat(Square()), batch, 0) == pytest.approx(score(1.5, 0.5), rel=1e-6)


def test_uncorrelated_gradients_are_better():
    better = jacov(flat(Square()), pixels([1, 0, -1], [1, -2, 1]), 0)
    assert better == pytest.approx(score(1, 1), rel=1e-6)
    assert better > score(1.5, 0.5) > score(2, 0)


def test_cells_have_gradients_beyond_rounding_errors():
    # With the statistics of the batch, the sum of all logits of cells is constant.
    batch, network = random_batch(), cells()
    double = type(batch)(batch.images.double(), batch.labels, batch.classes)
    assert jacov(network, batch, 0) == pytest.approx(jacov(network.double(), double, 0), rel=1e-3)


def test_an_image_without_gradient_has_no_correlation():
    assert math.isnan(jacov(flat(Square()), pixels([0, 0, 0], [1, 2, 3]), 0))
