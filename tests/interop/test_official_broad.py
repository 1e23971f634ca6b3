"""Checkpoints of the discrete networks of BNAS-v2."""

import pytest
import torch
from official_broad import FinalBroad
from official_supernets import scattered
from torch.nn import functional

from ltnas.errors import UserError
from ltnas.interop import load_official_network
from ltnas.models.broad_network import BroadNetwork
from ltnas.models.cost import parameter_counts
from ltnas.space.genotype import load_genotype

CLASSES = 5


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def loaded(theirs, genotype, cells, enhanced):
    state = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
    return load_official_network(
        state, genotype, 4, cells, CLASSES, auxiliary=False, enhancement_cells=enhanced
    )


@pytest.mark.parametrize("name", ["bnasv2_clr_v1", "bnasv2_clr_v2"])
@pytest.mark.parametrize(("deep", "enhanced"), [(1, 2), (2, 1), (0, 3)])
def test_a_discrete_network_trains_and_evaluates_the_same(name, deep, enhanced):
    theirs = scattered(FinalBroad(load_genotype(name)[0], 4, deep, enhanced, CLASSES))
    ours = loaded(theirs, name, 2 * (deep + 1), enhanced)
    x, labels = torch.randn(3, 3, 8, 8).double(), torch.tensor([0, 3, 1])
    for network in (ours, theirs):
        functional.cross_entropy(network(x), labels).backward()
    gradients = {n: p.grad for n, p in theirs.named_parameters()}
    found = sorted(float(p.grad.double().square().sum()) for p in ours.parameters())
    wanted = sorted(float(gradient.square().sum()) for gradient in gradients.values())
    torch.testing.assert_close(torch.tensor(found), torch.tensor(wanted))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-9, atol=1e-9)


def test_an_enhancement_cell_is_missing():
    theirs = FinalBroad(load_genotype("bnasv2_clr_v1")[0], 4, 0, 2, CLASSES)
    with pytest.raises(UserError, match=r"the checkpoint has no en_cells\.2"):
        loaded(theirs, "bnasv2_clr_v1", 2, 3)


def test_the_published_network_has_the_parameters_of_the_paper():
    genotype = load_genotype("bnasv2_clr_v1")[0]
    theirs = FinalBroad(genotype, 48, 2, 2, 10)
    ours = BroadNetwork(genotype, 48, 6, 2, classes=10, auxiliary=False)
    assert sum(parameter.numel() for parameter in theirs.parameters()) == 3_338_074
    assert parameter_counts(ours)["parameters"] == 3_338_074
