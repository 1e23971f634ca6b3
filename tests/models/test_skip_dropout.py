"""Dropout after skip connections."""

import pytest
import torch
from networks import search_network
from torch import nn

from ltnas.config import OPERATIONS
from ltnas.models.cell_design import CellDesign
from ltnas.models.skip_dropout import DroppedSkip, set_skip_dropout
from ltnas.models.sources import EdgeWeights
from ltnas.models.supernet import SupernetCell
from ltnas.space.edge_masks import full_mask
from ltnas.space.layout import CellPlan, edges


def test_elements_are_dropped_with_the_probability_and_the_others_scaled():
    torch.manual_seed(0)
    module, x = DroppedSkip(), torch.ones(200_000)
    set_skip_dropout(module, 0.3)
    y = module(x)
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / 0.7))
    # Five standard deviations of a share of 200,000 draws.
    assert abs(float((y == 0).float().mean()) - 0.3) < 0.0052
    assert torch.equal(module.eval()(x), x)


def test_a_probability_of_zero_is_the_plain_supernet():
    torch.manual_seed(0)
    plain = search_network()
    torch.manual_seed(0)
    dropped = search_network(design={"skip_dropout": True})
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(dropped(images), plain(images))
    set_skip_dropout(dropped, 0.5)
    assert not torch.allclose(dropped(images), plain(images))
    plain.load_state_dict(dropped.state_dict())
    torch.testing.assert_close(dropped.eval()(images), plain.eval()(images))


def cell(reduction, partial):
    """A cell of two nodes in float64 without preprocessing, its inputs and mixing weights."""
    torch.manual_seed(0)
    design = CellDesign(OPERATIONS, 2, partial_channels=partial, skip_dropout=True)
    made = SupernetCell(
        CellPlan(8, 8, 8, reduction, False, "normal"),
        design,
        full_mask(design.nodes, len(OPERATIONS)),
    ).double()
    made.preprocess0 = made.preprocess1 = nn.Identity()
    set_skip_dropout(made, 0.4)
    inputs = [
        torch.randn(3, 8, 6, 6).double().contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    ]
    weights = torch.rand(len(edges(2)), design.columns).double()
    return made, [x.requires_grad_() for x in inputs], weights.requires_grad_()


@pytest.mark.parametrize("reduction", [False, True])
@pytest.mark.parametrize("partial", [1, 4])
@pytest.mark.parametrize("training", [True, False])
def test_both_executors_draw_and_compute_the_same(reduction, partial, training):
    made, inputs, weights = cell(reduction, partial)
    leaves = [*inputs, weights, *made.parameters()]
    results = []
    for part in made.modules():  # normalisations stay in training, where they have gradients
        if isinstance(part, DroppedSkip):
            part.train(training)
    for executor in made.executors:
        torch.manual_seed(1)
        assert executor.can_run(inputs[0])
        out = executor.run(*inputs, EdgeWeights(weights))
        gradients = torch.autograd.grad((out * out.detach().cos()).sum(), leaves)
        results.append([out, *gradients, torch.get_rng_state()])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_each_edge_drops_other_elements():
    """By the kernels: two nodes that have the same skip connection alone differ."""
    made, inputs, _ = cell(reduction=False, partial=1)
    weights = torch.zeros(len(edges(2)), len(OPERATIONS)).double()
    weights[[0, 2], OPERATIONS.index("skip_connect")] = 1  # edges (2, 0) and (3, 0)
    first, second = made.executors[0].run(*inputs, EdgeWeights(weights)).split(8, 1)
    for node in (first, second):
        kept = node != 0
        torch.testing.assert_close(node[kept], inputs[0][kept] / 0.6)
    assert not torch.equal(first, second)
