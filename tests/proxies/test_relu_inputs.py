"""All ReLUs of a network are seen, however they are called and whatever kernels there are."""

import pytest
import torch
from tiny_networks import cells, flat, pixels, random_batch
from torch import nn

from ltnas.models.resnet import ResNet
from ltnas.proxies.relu_inputs import visit_relu_inputs
from ltnas.space.genotype import load_genotype

OF_OPERATION = {"sep_conv": 2, "dil_conv": 1, "max_pool": 0, "avg_pool": 0}
"""ReLUs of an operation, by the beginning of its name."""


def seen(network, images):
    inputs = []
    visit_relu_inputs(network, images, inputs.append)
    return inputs


def relus_of(cell, reduction, follows_reduction):
    """Count the ReLUs of a cell in its genotype: of its two inputs, and of its operations."""
    found = 3 if follows_reduction else 2  # an input that is halved has two convolutions
    for edge in cell.edges:
        if edge.operation == "skip_connect":
            found += 2 if reduction and edge.source < 2 else 0
        else:
            found += OF_OPERATION[edge.operation[:8]]
    return found


@pytest.mark.parametrize("name", ["darts_v2", "fairdarts_a", "pdarts", "snas_mild"])
def test_as_many_as_one_counts_in_the_genotype(name):
    genotype, images = load_genotype(name)[0], random_batch().images
    # Of three cells the first is normal, and the other two are reductions.
    expected = (
        relus_of(genotype.cell("normal"), False, False)
        + relus_of(genotype.cell("reduce"), True, False)
        + relus_of(genotype.cell("reduce"), True, True)
    )
    assert len(seen(cells(name), images)) == expected


def test_functions_are_seen_too():
    # Stem, and two for each of the three blocks.
    assert len(seen(ResNet(8, 4, 2), random_batch().images)) == 7


def test_inputs_come_in_order_and_before_they_are_changed():
    network = flat(nn.ReLU(inplace=True), nn.Hardtanh(-9, 1), nn.ReLU())
    kept = []
    visit_relu_inputs(network, pixels([-1, 2, 0.5]).images, lambda x: kept.append(x.tolist()))
    assert kept == [[[-1, 2, 0.5]], [[0, 1, 0.5]]]


def test_gradients_are_not_recorded():
    (x,) = seen(flat(nn.Linear(3, 2), nn.ReLU()), pixels([1, 2, 3]).images)
    assert not x.requires_grad
    assert torch.is_grad_enabled()
