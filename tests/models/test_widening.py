"""Wider candidate operations with the weights of narrower ones."""

import pytest
import torch
from networks import search_network
from torch import nn

from ltnas.models.cell_design import CellDesign
from ltnas.models.sources import EdgeWeights
from ltnas.models.stacked import Convolutions, Pool, Reduce
from ltnas.models.widening import copied_channels, widened_tensors

NAMES = ("max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "dil_conv_5x5")


def network(partial, masks=None):
    return search_network(
        operations=NAMES,
        nodes=2,
        channels=12,
        cells=3,
        masks=masks,
        design={"partial_channels": partial},
    ).double()


def run(candidate, x):
    """Outputs of a candidate of one or more edges, [B, edges * C, H', W']."""
    match candidate:
        case Pool():
            return candidate(x)
        case Reduce():
            return candidate(x.relu(), torch.ones(len(candidate.conv_1) * 2).double())
        case Convolutions():
            edges = candidate.chain()[0].edges
            stacked = torch.cat([x.relu()] * edges, 1)
            return candidate(stacked, torch.ones(edges * x.shape[1]).double())


@pytest.mark.parametrize("training", [False, True])
def test_every_operation_keeps_its_function(training):
    torch.manual_seed(0)
    narrow, wide = network(6), network(4)
    for module in narrow.modules():  # statistics as after some training
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    tensors = widened_tensors(narrow.supernet, wide.supernet, narrow.supernet.state_dict())
    wide.supernet.load_state_dict(tensors)
    narrow.train(training)
    wide.train(training)
    compared = 0
    for cell, wide_cell in zip(narrow.supernet.cells, wide.supernet.cells, strict=True):
        for old, new in zip(cell.sources, wide_cell.sources, strict=True):
            copies = copied_channels(old.channels, new.channels)
            assert new.channels > old.channels
            x = torch.randn(3, old.channels, 8, 8, dtype=torch.float64)
            for name, candidate in old.candidates.items():
                if isinstance(candidate, nn.Identity):
                    continue
                found, wanted = run(new.candidates[name], x[:, copies]), run(candidate, x)
                edges = wanted.shape[1] // old.channels
                parts = [part[:, copies] for part in wanted.chunk(edges, 1)]
                torch.testing.assert_close(found, torch.cat(parts, 1), rtol=0, atol=1e-6)
                compared += 1
    assert compared > 20


def test_everything_else_is_taken_over():
    torch.manual_seed(0)
    narrow, wide = network(6), network(4)
    state = narrow.supernet.state_dict()
    tensors = widened_tensors(narrow.supernet, wide.supernet, state)
    assert set(tensors) == set(wide.supernet.state_dict())
    for name, value in tensors.items():
        if ".candidates." not in name:
            assert torch.equal(value, state[name])


def test_operations_that_were_dropped_leave_no_weights():
    torch.manual_seed(0)
    # The edges 0 -> 2 and 1 -> 3 lose the separable convolution.
    rows = [[True] * 5 for _ in range(5)]
    rows[0][3] = rows[3][3] = False
    mask = tuple(map(tuple, rows))
    narrow = network(6)
    wide = network(4, masks={"normal": mask, "reduce": mask})
    tensors = widened_tensors(narrow.supernet, wide.supernet, narrow.supernet.state_dict())
    wide.supernet.load_state_dict(tensors)
    name = "cells.0.sources.0.candidates.sep_conv_3x3.units.0.depthwise"
    # Of the edges 0 -> 2 and 0 -> 3, the second is left.
    second = narrow.supernet.state_dict()[name].chunk(2)[1]
    assert torch.equal(tensors[name], second[copied_channels(2, 3)])


def test_a_wider_cell_without_a_change_of_width_is_the_same_cell():
    torch.manual_seed(0)
    narrow, wide = network(4), network(4)
    state = narrow.supernet.state_dict()
    tensors = widened_tensors(narrow.supernet, wide.supernet, state)
    for name, value in tensors.items():
        assert torch.equal(value, state[name])
    weights = EdgeWeights(torch.rand(5, CellDesign(NAMES, 2, 4).columns, dtype=torch.float64))
    wide.supernet.load_state_dict(tensors)
    images = [torch.randn(2, 36, 8, 8, dtype=torch.float64)] * 2
    cells = (network.supernet.cells[0] for network in (narrow, wide))
    first, second = (cell(*images, weights) for cell in cells)
    assert torch.equal(first, second)
