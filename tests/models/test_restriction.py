"""Part of a trained search network: the same function with fewer modules."""

import pytest
import torch
from networks import search_network

from ltnas.axes.auxiliary_skip import build_auxiliary_skip
from ltnas.config import OPERATIONS, ConstantSkip
from ltnas.models.restriction import restricted
from ltnas.models.skip_dropout import set_skip_dropout
from ltnas.models.statistics import frozen_statistics
from ltnas.space.drawing import random_genotype
from ltnas.space.edge_masks import full_mask, genotype_masks

NODES = 2
KINDS = ("normal", "reduce")


DESIGNS = {
    "plain": {},
    "partial channels": {"design": {"partial_channels": 2}, "channels": 8, "edge_deviation": 1.0},
    "auxiliary skip": {
        "design": {"auxiliary_skip": True},
        "auxiliary_skip": build_auxiliary_skip(ConstantSkip()),
    },
    "dropout": {"design": {"skip_dropout": True}},
    "spectral": {"design": {"spectral": True}},
    "separate edges": {"design": {"separate_edges": True}},
    "two branches": {"branch_depth": 1},
    "checkpointed": {"checkpointed": True},
}


def trained(options):
    """Return a network with weights and statistics that differ from the initial ones."""
    torch.manual_seed(0)
    network = search_network(nodes=NODES, **options).double()
    for _ in range(2):
        network(torch.randn(8, 3, 16, 16, dtype=torch.float64))
    return network


@pytest.mark.parametrize("name", DESIGNS)
def test_a_part_with_the_operations_of_a_genotype_computes_what_the_whole_does(name):
    network = trained(DESIGNS[name])
    images = torch.randn(8, 3, 16, 16, dtype=torch.float64)
    for seed in range(3):
        masks = genotype_masks(random_genotype(OPERATIONS, NODES, seed), NODES, OPERATIONS)
        mixing = {kind: torch.tensor(mask).double() for kind, mask in masks.items()}
        part = restricted(network, masks).double()
        with torch.no_grad(), frozen_statistics(network), frozen_statistics(part):
            whole, found = network(images, mixing), part(images, mixing)
        torch.testing.assert_close(found, whole, rtol=1e-9, atol=1e-9)
        numbers = [sum(p.numel() for p in n.supernet.parameters()) for n in (part, network)]
        assert numbers[0] < 0.6 * numbers[1]


def test_a_part_drops_nothing():
    """The whole may end its training with dropout after skip connections."""
    network = trained(DESIGNS["dropout"])
    skips = ((False, False, False, True, *[False] * 4),) * 5
    masks = {"normal": skips, "reduce": skips}
    mixing = {kind: torch.tensor(mask).double() for kind, mask in masks.items()}
    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    expected = restricted(network, masks).double()(images, mixing)
    set_skip_dropout(network, 0.5)
    assert not torch.equal(network(images, mixing), expected)
    assert torch.equal(restricted(network, masks).double()(images, mixing), expected)


def test_a_part_leaves_the_whole_as_it_is():
    network = trained({})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    masks = genotype_masks(random_genotype(OPERATIONS, NODES, 0), NODES, OPERATIONS)
    part = restricted(network, masks).double()
    mixing = {kind: torch.tensor(mask).double() for kind, mask in masks.items()}
    part(torch.randn(4, 3, 16, 16, dtype=torch.float64), mixing).sum().backward()
    for value in part.supernet.parameters():
        value.data.add_(1)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_whole_space_is_a_part():
    network = trained({})
    copy = restricted(network, dict.fromkeys(KINDS, full_mask(NODES, len(OPERATIONS)))).double()
    images = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad(), frozen_statistics(network), frozen_statistics(copy):
        assert torch.equal(copy(images), network(images))
