"""What holds for every proxy."""

import math

import pytest
import torch
from tiny_networks import cells, random_batch

from ltnas.config import PROXY_NAMES
from ltnas.proxies.table import PROXIES

BATCH = random_batch()


def state(network):
    """All that a proxy must not change."""
    gradients = [p.grad.clone() for p in network.parameters()]
    values = [value.clone() for value in network.state_dict().values()]
    flags = [torch.tensor(module.training) for module in network.modules()]
    return [*values, *gradients, *flags, torch.random.get_rng_state()]


def test_configurations_know_all_names():
    assert tuple(PROXIES) == PROXY_NAMES


@pytest.mark.parametrize("name", PROXIES)
def test_a_score_is_a_function_that_changes_nothing(name):
    network = cells().train()
    network.set_drop_path(0.5)
    network(BATCH.images).sum().backward()
    network.classifier.eval()
    before = state(network)
    first = PROXIES[name](network, BATCH, 1)
    torch.rand(1)
    torch.random.set_rng_state(before[-1])
    assert all(torch.equal(*pair) for pair in zip(state(network), before, strict=True))
    network.eval()
    network.set_drop_path(0.0)
    assert PROXIES[name](network, BATCH, 1) == first
    assert math.isfinite(first)


def test_random_networks_are_drawn_from_the_seed():
    network = cells()
    assert PROXIES["zen"](network, BATCH, 1) != PROXIES["zen"](network, BATCH, 2)
