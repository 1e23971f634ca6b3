"""Descriptions of networks: what is built from them, and values that are refused."""

import json
from types import SimpleNamespace

import pytest
import torch

from ltnas import config as c
from ltnas.models.build import branch_depth, describe_network, described_network
from ltnas.space.genotype import load_genotype


def configuration(**changes):
    values = {
        "network": c.SearchedNetwork(),
        "classifier": c.LinearClassifier(),
        "branches": c.OneBranch(),
        "channels": 4,
        "cells": 3,
        "auxiliary": 0.4,
        "stem": "cifar",
    }
    return SimpleNamespace(**values | changes)


@pytest.mark.parametrize(
    ("branches", "depth"),
    [(c.OneBranch(), None), (c.TwoBranches(depth=0), 0), (c.TwoBranches(depth=1), 1)],
)
def test_the_depth_of_branches(branches, depth):
    assert branch_depth(branches) == depth


@pytest.mark.parametrize(
    "network", [c.SearchedNetwork(), c.ResNet32(depth=8, width=4), c.ResNet20(depth=14, width=4)]
)
def test_a_network_is_built_from_its_description(network):
    config = configuration(network=network, branches=c.TwoBranches(depth=1))
    genotype = load_genotype("darts_v2")[0]
    description = describe_network(config, genotype, 32)
    models = [described_network(json.loads(json.dumps(description)), 5, "here") for _ in range(2)]
    assert models[0].branch_depth == 1
    assert models[0](torch.randn(2, 3, 32, 32)).shape == (2, 5)
    models[1].load_state_dict(models[0].state_dict())


@pytest.mark.parametrize(("size", "stem"), [(32, "cifar"), (96, "imagenet")])
def test_a_description_names_the_stem_that_the_size_chooses(size, stem):
    genotype = load_genotype("darts_v2")[0]
    assert describe_network(configuration(stem="auto"), genotype, size)["stem"] == stem
    assert describe_network(configuration(stem="cifar"), genotype, size)["stem"] == "cifar"


@pytest.mark.parametrize("classes", [1000, 8142])
def test_a_network_of_as_many_classes_as_imagenet_or_inaturalist_learns(classes):
    torch.manual_seed(0)
    config = configuration(stem="auto", auxiliary=0.0)
    model = described_network(
        describe_network(config, load_genotype("darts_v2")[0], 96), classes, "here"
    )
    images, labels = torch.randn(4, 3, 96, 96), torch.tensor([0, 1, classes - 2, classes - 1])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[1] < losses[0]
    assert model.eval()(images).softmax(1).sum(1).allclose(torch.ones(4))
    assert model.classifier.weight.shape[0] == classes


def test_unknown_values_are_refused():
    with pytest.raises(TypeError, match=r"Branches\(\) is not a value on the branches axis"):
        branch_depth(c.Branches())
    with pytest.raises(TypeError, match=r"NetworkChoice\(\) is not a value on the network axis"):
        describe_network(configuration(network=c.NetworkChoice()), None, 32)
