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
    description = describe_network(config, genotype)
    models = [described_network(json.loads(json.dumps(description)), 5, "here") for _ in range(2)]
    assert models[0].branch_depth == 1
    assert models[0](torch.randn(2, 3, 32, 32)).shape == (2, 5)
    models[1].load_state_dict(models[0].state_dict())


def test_unknown_values_are_refused():
    with pytest.raises(TypeError, match=r"Branches\(\) is not a value on the branches axis"):
        branch_depth(c.Branches())
    with pytest.raises(TypeError, match=r"NetworkChoice\(\) is not a value on the network axis"):
        describe_network(configuration(network=c.NetworkChoice()), None)
