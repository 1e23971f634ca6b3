"""Partial channels: what bypasses the candidate operations, by both executors."""

import pytest
import torch
import torch.nn.functional as F
from networks import search_network
from torch import nn

from ltnas.config import OPERATIONS
from ltnas.models.bypass import shuffled
from ltnas.models.cell_design import CellDesign
from ltnas.models.operations import operation
from ltnas.models.sources import EdgeWeights
from ltnas.models.supernet import SupernetCell
from ltnas.space.edge_masks import full_mask
from ltnas.space.layout import CellPlan, edges

NAMES = ("none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "dil_conv_5x5")


def shuffle_of_an_edge(x, groups):
    """The published shuffle: [B, K, C / K, H, W], transposed and flattened."""
    batch, channels, height, width = x.shape
    x = x.view(batch, groups, channels // groups, height, width)
    return x.transpose(1, 2).reshape(batch, channels, height, width)


def test_order_of_shuffled_channels():
    channels = torch.arange(8.0).view(1, 8, 1, 1)
    found = shuffled(channels[:, :2], channels[:, 2:]).flatten().tolist()
    assert found == [0, 2, 4, 6, 1, 3, 5, 7]


def cell(partial, reduction, **options):
    """A cell of two nodes and 8 channels in float64, without preprocessing, and its inputs."""
    torch.manual_seed(0)
    design = CellDesign(NAMES, 2, partial_channels=partial, **options)
    made = SupernetCell(
        CellPlan(8, 8, 8, reduction, False, kind="normal"), design, full_mask(2, len(NAMES))
    ).double()
    made.preprocess0 = made.preprocess1 = nn.Identity()
    inputs = [
        torch.randn(3, 8, 6, 6, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    ]
    weights = torch.rand(len(edges(2)), design.columns, dtype=torch.float64)
    return made, [x.requires_grad_() for x in inputs], weights.requires_grad_()


def plain_edge(made, row, source, x, weights, partial):
    """One edge of PC-DARTS as its paper writes it, with the weights of the stacked cell."""
    stride = 2 if made.executors[1].reduction and source < 2 else 1
    width = x.shape[1] // partial
    total = 0
    group = next(part for part in made.sources if part.state == source)
    for column, name in enumerate(NAMES):
        if name == "none":
            continue
        module = operation(name, width, stride, affine=False).double()
        position = group.rows[name].index(row)
        _load(module, group.candidates[name], position, width)
        y = module(x[:, :width])
        if "pool" in name:
            y = nn.BatchNorm2d(width, affine=False).double()(y)
        total = total + weights[row, column] * y
    rest = x[:, width:]
    rest = F.max_pool2d(rest, 2, 2) if stride == 2 else rest
    return shuffle_of_an_edge(torch.cat([total, weights[row, -1] * rest], 1), partial)


def _load(module, stacked, position, width):
    """Copy the weights of one edge from a stacked candidate operation."""
    own = list(module.parameters())
    count = len(own)
    theirs = list(stacked.parameters())
    assert count == len(theirs)
    for mine, all_edges in zip(own, theirs, strict=True):
        filters = len(mine)
        mine.data.copy_(all_edges[position * filters : (position + 1) * filters])


@pytest.mark.parametrize("executor", [0, 1])
@pytest.mark.parametrize("reduction", [False, True])
@pytest.mark.parametrize("partial", [2, 4])
def test_equals_a_shuffle_of_each_edge(partial, reduction, executor):
    made, inputs, weights = cell(partial, reduction)
    found = made.executors[executor].run(*inputs, EdgeWeights(weights))
    states = list(inputs)
    for node in (2, 3):
        terms = [
            plain_edge(made, row, source, states[source], weights, partial)
            for row, (target, source) in enumerate(edges(2))
            if target == node
        ]
        states.append(sum(terms[1:], terms[0]))
    wanted = torch.cat(states[2:], 1)
    torch.testing.assert_close(found, wanted)
    factors = torch.randn_like(wanted)
    leaves = [*inputs, weights]
    theirs = torch.autograd.grad((wanted * factors).sum(), leaves)
    ours = torch.autograd.grad((found * factors).sum(), leaves)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("reduction", [False, True])
@pytest.mark.parametrize("partial", [1, 4])
@pytest.mark.parametrize("auxiliary", [False, True])
def test_both_executors_agree_in_everything(reduction, partial, auxiliary):
    made, inputs, weights = cell(partial, reduction, auxiliary_skip=auxiliary)
    leaves = [*inputs, weights, *made.parameters()]
    results = []
    for executor in made.executors:
        assert executor.can_run(inputs[0])
        out = executor.run(*inputs, EdgeWeights(weights))
        gradients = torch.autograd.grad((out * out.detach().cos()).sum(), leaves)
        results.append([out, *gradients])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("partial", "wanted"), [(1, 1_930_618), (4, 299_578)])
def test_published_parameter_counts(partial, wanted):
    with torch.device("meta"):
        network = search_network(channels=16, cells=8, design={"partial_channels": partial})
    assert sum(weight.numel() for weight in network.weight_parameters().values()) == wanted


def test_published_parameter_count_with_auxiliary_skip_connections():
    with torch.device("meta"):
        network = search_network(channels=16, cells=8, design={"auxiliary_skip": True})
    assert sum(weight.numel() for weight in network.weight_parameters().values()) == 1_971_578


@pytest.mark.parametrize(("partial", "wanted"), [(6, 2_221_750), (4, 2_986_462), (2, 6_622_390)])
def test_published_parameter_counts_of_drnas(partial, wanted):
    without_none = OPERATIONS[1:]
    with torch.device("meta"):
        network = search_network(
            operations=without_none,
            channels=36,
            cells=20,
            design={"partial_channels": partial},
        )
    assert sum(weight.numel() for weight in network.weight_parameters().values()) == wanted
