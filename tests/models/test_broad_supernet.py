"""The broad supernet beside a plain one, with deep cells and several enhancement cells."""

import pytest
import torch
from networks import search_network
from official_broad import BroadSearch
from official_supernets import scattered
from torch.nn import functional

from ltnas.config import OPERATIONS, BroadCells
from ltnas.interop.names import broad_rules, official_name
from ltnas.interop.tensors import filled
from ltnas.models.stacking import plain_names

CLASSES = 5


def pair(deep, enhanced, **options):
    """A plain network in float64, and ours with its weights."""
    torch.manual_seed(2)
    cells = 2 * (deep + 1)
    theirs = scattered(BroadSearch(4, cells, CLASSES, deep, enhanced))
    with torch.device("meta"):
        ours = search_network(
            cells=cells, classes=CLASSES, macro=BroadCells(enhancement_cells=enhanced), **options
        )
    rules = broad_rules(cells, enhanced)
    kinds = ("normal", "enhancement")
    alphas = {
        f"architecture.{kind}": values.detach()
        for kind, values in zip(kinds, theirs.alphas, strict=True)
    }

    def names(name):
        return [official_name(part, rules) for part in plain_names(name, OPERATIONS, 4)]

    return theirs, filled(ours, theirs.state_dict(), "", names, alphas)


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize(("deep", "enhanced"), [(0, 1), (1, 3)])
def test_it_learns_as_the_plain_network(deep, enhanced, checkpointed):
    theirs, ours = pair(deep, enhanced, checkpointed=checkpointed)
    x, labels = torch.randn(3, 3, 8, 8).double(), torch.tensor([0, 3, 1])
    for network in (theirs, ours):
        functional.cross_entropy(network(x), labels).backward()
    for wanted, kind in zip(theirs.alphas, ("normal", "enhancement"), strict=True):
        torch.testing.assert_close(ours.architecture[kind].grad, wanted.grad, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(ours.supernet.stem[0].weight.grad, theirs.stem[0].weight.grad)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-9, atol=1e-9)


def test_architecture_parameters_are_in_the_order_of_the_kinds():
    network = search_network(nodes=1, macro=BroadCells())
    assert list(network.architecture_parameters()) == ["normal", "enhancement"]
    assert list(network.expected_weights()) == ["normal", "enhancement"]
