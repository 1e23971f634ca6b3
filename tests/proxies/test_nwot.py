"""NASWOT of networks whose codes are known."""

import math

import pytest
import torch
from tiny_networks import cells, flat, linear, pixels, random_batch
from torch import nn

from ltnas.proxies.nwot import equal_bits, nwot

BATCH = pixels([2, 1, -1], [2, -1, -1], [-2, 1, 1])
"""Images with the codes 110, 100 and 011."""


def test_a_known_determinant():
    # Equal bits: K = (3 2 1; 2 3 0; 1 0 3), whose determinant is 27 - 12 - 3.
    assert nwot(flat(nn.ReLU(), linear([1, 1, 1])), BATCH, 0) == pytest.approx(math.log(12))


def test_layers_add_their_bits():
    # The second ReLU has one bit, which is 1 for all images: one more equal bit for each pair.
    network = flat(nn.ReLU(), linear([1, 1, 1]), nn.ReLU())
    kernel = torch.tensor([[4.0, 3, 2], [3, 4, 1], [2, 1, 4]])
    assert nwot(network, BATCH, 0) == pytest.approx(kernel.det().log().item())


def test_equal_codes_are_minus_infinity():
    assert nwot(flat(nn.ReLU()), pixels([1, 2, 3], [3, 2, 1]), 0) == -math.inf


def test_equal_bits_against_the_definition():
    codes = torch.rand(5, 40, generator=torch.Generator().manual_seed(0)) > 0.4
    expected = [[int((a == b).sum()) for b in codes] for a in codes]
    assert equal_bits(codes).tolist() == expected


def test_cells_of_float32_and_float64_agree():
    batch, network = random_batch(), cells()
    double = type(batch)(batch.images.double(), batch.labels, batch.classes)
    assert nwot(network, batch, 0) == pytest.approx(nwot(network.double(), double, 0), rel=1e-3)
