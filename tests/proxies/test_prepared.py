"""The copy of a network that proxies compute with."""

import torch
from torch import nn

from ltnas.models.network import Network
from ltnas.proxies.prepared import gradients, layers, prepared, settle_statistics, total, weights
from ltnas.space.genotype import load_genotype


def test_normalisations_train_and_nothing_else_does():
    network = nn.Sequential(nn.Dropout(), nn.BatchNorm2d(2)).eval()
    with prepared(network, 0) as probe:
        assert [module.training for module in probe] == [False, True]
    assert not network[1].training


def test_frozen_weights_have_gradients_in_the_copy():
    network = nn.Linear(2, 1).requires_grad_(False)
    with torch.no_grad(), prepared(network, 0) as probe:
        (gradient,) = gradients(probe(torch.ones(2)).sum(), weights(probe))
    assert gradient.tolist() == [[1, 1]]
    assert not network.weight.requires_grad


def test_random_numbers_come_from_the_seed_and_leave_the_global_state():
    before = torch.random.get_rng_state()
    drawn = []
    for seed in (3, 3, 4):
        with prepared(nn.Identity(), seed):
            drawn.append(torch.rand(()).item())
    assert torch.equal(torch.random.get_rng_state(), before)
    assert drawn[0] == drawn[1] != drawn[2]


def test_settled_statistics_are_those_of_the_batch():
    images = torch.randn(5, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    with prepared(nn.Sequential(nn.BatchNorm2d(2)), 0) as probe:
        settle_statistics(probe, images)
        torch.testing.assert_close(probe[0].running_mean, images.mean((0, 2, 3)))
        torch.testing.assert_close(probe[0].running_var, images.var((0, 2, 3)))
        torch.testing.assert_close(probe(images[:1]), probe(images)[:1])


def test_layers_leave_out_the_auxiliary_classifier():
    genotype = load_genotype("darts_v2")[0]
    with_head, without = (Network(genotype, 4, 3, 2, auxiliary=one) for one in (True, False))
    assert len(layers(with_head)) == len(layers(without))
    # Stem, classifier and for each cell: two inputs (one more after a reduction) and operations.
    assert [type(layer) for layer in (layers(without)[0], layers(without)[-1])] == [
        nn.Conv2d,
        nn.Linear,
    ]


def test_tensors_without_influence_have_gradients_of_zero():
    x, y = (torch.ones(2, requires_grad=True) for _ in range(2))
    assert [g.tolist() for g in gradients((2 * x).sum(), [x, y])] == [[2, 2], [0, 0]]


def test_total():
    assert total([torch.tensor(1.5), torch.tensor(2.0, requires_grad=True)]) == 3.5
