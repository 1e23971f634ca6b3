"""Zen-score against its algorithm typed out."""

import pytest
import torch
from tiny_networks import cells, random_batch
from torch import nn

from ltnas.proxies.zen import zen

BATCH = random_batch(images=2, side=4)


def by_hand(seed, repeats=4):
    """Score of a convolution and its normalisation."""
    torch.manual_seed(seed)
    scores = []
    for _ in range(repeats):
        weight = nn.init.normal_(torch.empty(5, 3, 1, 1))
        x, e = (torch.randn(16, 3, 4, 4) for _ in range(2))
        first, second = (nn.functional.conv2d(image, weight) for image in (x, x + 0.01 * e))
        variances = first.var((0, 2, 3), correction=0)
        normalised = [
            nn.functional.batch_norm(y, None, None, training=True) for y in (first, second)
        ]
        change = (normalised[0] - normalised[1]).abs().sum((1, 2, 3)).mean()
        scores.append(change.log() + variances.mean().sqrt().log())
    return torch.stack(scores).mean().item()


def test_a_convolution_and_its_normalisation():
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5))
    nn.init.constant_(network[1].weight, 3.0)  # its own parameters do not count
    with torch.random.fork_rng():
        expected = by_hand(seed=6)
    assert zen(network, BATCH, 6) == pytest.approx(expected, rel=1e-5)


def test_features_of_cells_are_those_before_pooling():
    network = cells()
    before = zen(network, BATCH, 0)
    nn.init.zeros_(network.classifier.weight)
    network.classifier.register_forward_hook(lambda *_: pytest.fail("the classifier was computed"))
    assert zen(network, BATCH, 0) == before


def test_all_normalisations_of_cells_are_measured(monkeypatch):
    measured, variance = [], torch.Tensor.var
    monkeypatch.setattr(
        torch.Tensor, "var", lambda x, *a, **b: measured.append(1) or variance(x, *a, **b)
    )
    network = cells()
    zen(network, BATCH, 0)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(measured) == 4 * len(norms)
