"""Sizes of networks."""

import pytest
from tiny_networks import cells, flat, linear, pixels, random_batch

from ltnas.models.cost import multiply_accumulates, parameter_counts
from ltnas.proxies.size import l2_norm, macs, parameters


def test_norms_of_layers_are_added():
    network = flat(linear([3, 4, 0]), linear([1], [0]))
    assert l2_norm(network, pixels([1, 1, 1]), 0) == pytest.approx(5 + 1)


def test_sizes_of_cells_are_those_of_results():
    network, batch = cells(), random_batch(side=8)
    assert parameters(network, batch, 0) == parameter_counts(network)["parameters"]
    assert macs(network, batch, 0) == multiply_accumulates(network, 8)
