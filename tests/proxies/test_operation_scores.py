"""Zero-shot scores of candidate operations, against networks built without each of them."""

import math

import pytest
import torch

from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.operation_scores import (
    ProbedSpace,
    cells_of,
    leave_one_out,
    left_out,
    marginal,
    saliency,
)
from ltnas.proxies.size import parameters
from ltnas.proxies.untrained import NetworkSize, untrained_network
from ltnas.space.edge_masks import full_mask
from ltnas.space.genotype import Edge

NAMES = ("none", "skip_connect", "sep_conv_3x3", "avg_pool_3x3")
KINDS = ("normal", "reduce")
SIZE = NetworkSize(channels=2, cells=3, enhancement_cells=1, classes=4)


@pytest.fixture
def batch():
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return ProxyBatch(images, torch.arange(4), 4)


def probed(masks=None, macro="cells", kinds=KINDS):
    masks = masks or dict.fromkeys(kinds, full_mask(1, len(NAMES)))
    return ProbedSpace(NAMES, 1, masks, macro, SIZE)


def test_a_space_has_a_place_for_each_operation_but_none():
    # Nodes: one, with two edges, in each of two kinds of cell.
    assert len(probed().places) == 2 * 2 * 3
    only_skips = dict.fromkeys(KINDS, ((True, True, False, False),) * 2)
    assert {edge.operation for _, edge in probed(only_skips).places} == {"skip_connect"}


@pytest.mark.parametrize(
    ("macro", "kinds"), [("cells", KINDS), ("broad", ("normal", "enhancement"))]
)
def test_left_out_computes_what_a_network_without_the_operation_does(batch, macro, kinds):
    space = probed(macro=macro, kinds=kinds)
    network = untrained_network(space.everything, SIZE, 1)
    place = (kinds[0], Edge("sep_conv_3x3", 2, 0))
    before = network(batch.images)
    with left_out(network, *place):
        found = network(batch.images)
    assert torch.equal(network(batch.images), before)
    # The same weights in a network that was built without the operation.
    cells = dict(space.everything.cells)
    rest = [edge for edge in cells[kinds[0]].edges if edge != place[1]]
    genotype = type(space.everything)(
        cells | {kinds[0]: type(cells[kinds[0]])(tuple(rest), cells[kinds[0]].concat)}, macro
    )
    other = untrained_network(genotype, SIZE, 2)
    with left_out(network, *place):
        other.load_state_dict(network.state_dict())
        expected = other(batch.images)
    torch.testing.assert_close(found, expected)
    assert not torch.equal(found, before)


def test_leaving_out_counts_the_parameters_of_an_operation_in_all_cells(batch):
    space = probed()
    scores = leave_one_out(space, batch, parameters, 0)
    network = untrained_network(space.everything, SIZE, 0)
    for (kind, edge), score in scores.items():
        own = sum(
            parameter.numel()
            for cell in cells_of(network, kind)
            for found, operation in zip(cell.edges, cell.operations, strict=True)
            if found == edge
            for parameter in operation.parameters()
        )
        assert score == own
    assert scores["normal", Edge("avg_pool_3x3", 2, 1)] == 0


def test_a_marginal_score_is_the_mean_over_architectures_that_have_the_operation(batch):
    """A node with one edge from each input: with 2 operations, four architectures of a cell."""
    two = ((False, False, True, True),) * 2
    space = probed({"normal": two, "reduce": ((False, True, False, False),) * 2})
    scores = marginal(space, batch, parameters, 0, samples=200)
    size = {
        edge.operation: score
        for (kind, edge), score in leave_one_out(space, batch, parameters, 0).items()
        if kind == "normal" and edge.source == 0
    }
    own = {e.operation: s for (k, e), s in scores.items() if k == "normal" and e.source == 0}
    # A convolution on one edge makes architectures larger by its size, whatever the other edge has:
    # that is a convolution in half of 200 samples, give or take 3.3 standard deviations.
    gain = own["sep_conv_3x3"] - own["avg_pool_3x3"]
    noise = 3.3 * size["sep_conv_3x3"] / math.sqrt(200)
    assert abs(gain - size["sep_conv_3x3"]) < noise


def test_an_operation_that_no_architecture_had_gets_the_lowest_score(batch):
    scores = marginal(probed(), batch, parameters, 0, samples=1)
    assert len(scores) == 12
    assert len(set(scores.values())) == 1


def test_saliency_is_the_derivative_by_the_weight_of_an_operation(batch):
    space = probed()
    scores = saliency(space, batch, 3)
    network = untrained_network(space.everything, SIZE, 3).double().eval()
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, torch.nn.BatchNorm2d):
                setattr(module, name, torch.nn.Identity())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    ones = torch.ones(1, 3, 8, 8, dtype=torch.float64)

    def output(kind, edge, weight):
        """Return the sum of the logits with another weight of one operation."""
        hooks = [
            operation.register_forward_hook(lambda module, inputs, y: y * weight)
            for cell in cells_of(network, kind)
            for found, operation in zip(cell.edges, cell.operations, strict=True)
            if found == edge
        ]
        with torch.no_grad():
            value = float(network(ones).sum())
        for hook in hooks:
            hook.remove()
        return value

    step = 1e-4
    for kind, edge in space.places[::3]:
        difference = output(kind, edge, 1 + step) - output(kind, edge, 1 - step)
        assert scores[kind, edge] == pytest.approx(abs(difference) / (2 * step), rel=1e-4)


def test_scores_are_functions_of_the_seed_and_leave_the_random_state_alone(batch):
    state = torch.get_rng_state()
    first, second, other = (saliency(probed(), batch, seed) for seed in (0, 0, 1))
    assert first == second
    assert first != other
    assert torch.equal(torch.get_rng_state(), state)
