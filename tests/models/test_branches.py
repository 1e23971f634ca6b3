"""Models with one and with two branches: shared parts and joined features."""

import pytest
import torch
from networks import search_network
from torch.testing import assert_close

from ltnas.config import BroadCells
from ltnas.models.broad_network import BroadNetwork
from ltnas.models.network import Network
from ltnas.models.resnet import ResNet
from ltnas.space.genotype import load_genotype

CLASSES = 3


def supernet(depth):
    return search_network(nodes=2, classes=CLASSES, deviation=1.0, branch_depth=depth)


def network(depth):
    genotype, _ = load_genotype("darts_v2")
    return Network(genotype, 4, 3, CLASSES, auxiliary=False, branch_depth=depth)


def broad_supernet(depth):
    return search_network(
        nodes=2, cells=2, classes=CLASSES, deviation=1.0, branch_depth=depth, macro=BroadCells()
    )


def broad_network(depth):
    genotype, _ = load_genotype("bnasv2_clr_v1")
    return BroadNetwork(genotype, 4, 2, 1, classes=CLASSES, auxiliary=False, branch_depth=depth)


def resnet(depth):
    return ResNet(8, 4, CLASSES, branch_depth=depth)


MODELS = {
    "supernet": supernet,
    "network": network,
    "broad_supernet": broad_supernet,
    "broad_network": broad_network,
    "resnet": resnet,
}
BROAD = {"cells.2.": "rebalancing_cell.", "enhanced.0.": "rebalancing_embedding."}
SEPARATE = {
    "supernet": {"supernet.cells.2.": "supernet.rebalancing_cell."},
    "network": {"cells.2.": "rebalancing_cell."},
    "broad_supernet": {f"supernet.{key}": f"supernet.{value}" for key, value in BROAD.items()},
    "broad_network": BROAD,
    "resnet": {"blocks.2.": "rebalancing_block."},
}
"""What the first branch has for itself, and what the second has in its place."""


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


def made(name, depth):
    torch.manual_seed(3)
    return MODELS[name](depth).double().eval()


def images():
    return torch.randn(5, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("depth", [0, 1])
def test_two_branches_join_their_features(name, depth):
    model, x = made(name, depth), images()
    first, second = (model.branch_features(x, branch) for branch in (0, 1))
    assert first.shape == second.shape == (5, model.feature_size // 2)
    assert torch.equal(first, second) is (depth == 0)
    assert_close(model.features(x), torch.cat([first, second], 1), rtol=1e-12, atol=1e-13)
    # as BBN tests: the classifier of the joined features, without weights
    left, right = model.classifier.weight.chunk(2, 1)
    logits = first @ left.T + second @ right.T + model.classifier.bias
    assert_close(model(x), logits, rtol=1e-10, atol=1e-12)


def test_features_of_one_branch_are_those_of_the_last_cell(name):
    model, x = made(name, None), images()
    assert model.branches == 1
    assert torch.equal(model.features(x), model.branch_features(x, 0))


def test_only_the_last_cell_is_duplicated(name):
    counts = {depth: dict(made(name, depth).named_parameters()) for depth in (None, 0, 1)}
    assert set(counts[0]) == set(counts[None])  # the classifier alone is wider
    more = {key for key in counts[1] if key not in counts[0]}
    assert more == {
        key.replace(first, second)
        for first, second in SEPARATE[name].items()
        for key in counts[0]
        if key.startswith(first)
    }
    assert counts[1]["classifier.weight"].shape == counts[0]["classifier.weight"].shape
    assert counts[0]["classifier.weight"].shape[1] == 2 * counts[None]["classifier.weight"].shape[1]


def test_both_branches_reach_the_trunk_and_only_their_own_tail(name):
    model = made(name, 1).train()
    first, second = tuple(SEPARATE[name]), tuple(SEPARATE[name].values())
    for branch, (used, unused) in enumerate([(first, second), (second, first)]):
        model.zero_grad()
        model.branch_features(images(), branch).square().sum().backward()
        moved = {key for key, value in model.named_parameters() if value.grad is not None}
        assert any(key.removeprefix("supernet.").startswith("stem.") for key in moved)
        assert all(any(key.startswith(part) for key in moved) for part in used)
        assert not any(key.startswith(unused) for key in moved)


def test_branches_of_a_supernet_have_one_architecture():
    model = made("supernet", 1)
    assert {key for key, _ in model.named_parameters() if "architecture" in key} == {
        "architecture.normal",
        "architecture.reduce",
    }
    loss = model.train().branch_features(images(), 1).square().sum()
    gradients = torch.autograd.grad(loss, list(model.architecture.values()))
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
