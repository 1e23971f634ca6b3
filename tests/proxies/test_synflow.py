"""SynFlow of chains, where it can be typed out, and of cells."""

import math

import pytest
import torch
from tiny_networks import cells, flat, linear, pixels, random_batch
from torch import nn

from ltnas.proxies.synflow import remove_normalisations, synflow

WEIGHTS = [[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]], [[-3.0, 1.0]], [[-2.0], [0.5]]


def chain():
    first, second, third = (linear(*weight) for weight in WEIGHTS)
    return flat(first, nn.ReLU(), second, third)


def test_a_chain_of_three_layers_has_three_times_its_flow():
    # 1^T |W3| |W2| |W1| 1 = (2 + 0.5) * (3 * 3.5 + 1 * 1.75); each layer's share is all of it.
    assert synflow(chain(), pixels([9, 9, 9]), 0) == pytest.approx(math.log(3 * 2.5 * 12.25))


def test_a_bias_adds_to_the_flow_behind_it_only():
    network = chain()
    network[1].bias = nn.Parameter(torch.tensor([-1.0, 0.0]))
    # The bias adds |W3| |W2| (1, 0)^T = 2.5 * 3 to R, which flows through the last two layers.
    expected = math.log(3 * 2.5 * 12.25 + 2 * 2.5 * 3)
    assert synflow(network, pixels([9, 9, 9]), 0) == pytest.approx(expected)


def test_normalisations_have_no_effect():
    batch, network = random_batch(), cells()
    before = synflow(network, batch, 0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 7.0)
            nn.init.constant_(module.running_var, 3.0)
    assert synflow(network, batch, 0) == before
    remove_normalisations(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_no_path_is_minus_infinity():
    assert synflow(flat(linear([0, 0, 0])), pixels([1, 1, 1]), 0) == -math.inf
