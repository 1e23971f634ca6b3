"""Fisher pruning: numbers by hand, and a linear classifier."""

import pytest
import torch
from tiny_networks import cells, flat, linear, pixels, random_batch

from ltnas.proxies.fisher import fisher, importance
from ltnas.proxies.prepared import layers

WEIGHT = [[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]]


def test_a_channel_sums_its_pixels_before_it_squares():
    a, g = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[3.0, 4.0]]]])
    assert importance(a, g).item() == (1 * 3 + 2 * 4) ** 2 / 2


def test_images_are_averaged_and_channels_added():
    a, g = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 1.0], [2.0, 0.5]])
    assert importance(a, g).item() == (1 + 6**2) / 4 + (2**2 + 2**2) / 4


def test_linear_classifier():
    batch = pixels([1, 2, -1], [0.5, -1, 3], labels=[0, 1])
    a = batch.images.flatten(1) @ torch.tensor(WEIGHT).T
    g = (a.softmax(1) - torch.eye(2)) / 2
    expected = ((a * g) ** 2).mean(0).sum() / 2
    assert fisher(flat(linear(*WEIGHT)), batch, 0) == pytest.approx(expected.item())


def test_every_convolution_of_cells_counts(monkeypatch):
    counted = []
    monkeypatch.setattr(
        "ltnas.proxies.fisher.importance", lambda *pair: counted.append(pair) or torch.ones(())
    )
    network = cells()
    assert fisher(network, random_batch(), 0) == len(counted) == len(layers(network))
