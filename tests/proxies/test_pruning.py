"""Operations that are kept, for scores that are known."""

import pytest
import torch

from ltnas.proxies.operation_scores import ProbedSpace
from ltnas.proxies.pruning import of_all_edges, of_each_edge, pruned
from ltnas.proxies.untrained import NetworkSize
from ltnas.space.edge_masks import full_mask

NAMES = ("none", "skip_connect", "sep_conv_3x3", "dil_conv_3x3", "avg_pool_3x3")
KINDS = ("normal", "reduce")
SIZE = NetworkSize(channels=2, cells=3, enhancement_cells=1, classes=4)
VALUES = {"skip_connect": 3.0, "sep_conv_3x3": 2.0, "dil_conv_3x3": 1.0, "avg_pool_3x3": 4.0}


def probed(masks=None):
    masks = masks or dict.fromkeys(KINDS, full_mask(1, len(NAMES)))
    return ProbedSpace(NAMES, 1, masks, "cells", SIZE)


def kept(space, repeats, keep=0.5, pool=of_each_edge):
    """Return the names of the operations that each edge of a normal cell keeps."""
    masks = pruned(space, repeats, keep, pool).masks
    return [
        {name for name, there in zip(NAMES, row, strict=True) if there} for row in masks["normal"]
    ]


def test_the_best_half_is_kept_with_an_operation_that_has_weights():
    space = probed()
    scores = {place: VALUES[place[1].operation] for place in space.places}
    # Half of five, rounded up: three.
    assert kept(space, [scores]) == [{"avg_pool_3x3", "skip_connect", "sep_conv_3x3"}] * 2
    # The weaker one of two makes room for the best convolution.
    assert kept(space, [scores], keep=0.4) == [{"avg_pool_3x3", "sep_conv_3x3"}] * 2
    assert kept(space, [scores], keep=0.2) == [{"sep_conv_3x3"}] * 2
    # Everything is kept, and `none` with it.
    assert kept(space, [scores], keep=1.0) == [set(NAMES)] * 2


def test_edges_without_weights_stay_without():
    skips = ((True, True, False, False, True),) * 2
    space = probed(dict.fromkeys(KINDS, skips))
    scores = {place: VALUES[place[1].operation] for place in space.places}
    assert kept(space, [scores], keep=0.3) == [{"avg_pool_3x3"}] * 2


def test_repeats_are_compared_by_ranks():
    """One very large score in one of three repeats does not outweigh the other two."""
    space = probed(dict.fromkeys(KINDS, ((False, False, True, True, False),) * 2))
    low = {place: VALUES[place[1].operation] for place in space.places}
    wild = {p: 1e9 if p[1].operation == "dil_conv_3x3" else v for p, v in low.items()}
    assert kept(space, [low, low, wild], 0.2) == [{"sep_conv_3x3"}] * 2
    assert kept(space, [wild, wild, low], 0.2) == [{"dil_conv_3x3"}] * 2


@pytest.mark.parametrize(
    ("pool", "wanted"),
    [
        (of_each_edge, [{"sep_conv_3x3", "skip_connect"}, {"dil_conv_3x3", "sep_conv_3x3"}]),
        (of_all_edges, [{"sep_conv_3x3", "dil_conv_3x3"}] * 2),
    ],
)
def test_edges_keep_their_own_operations_or_all_the_same(pool, wanted):
    space = probed()
    of_edge = [
        {"sep_conv_3x3": 4.0, "skip_connect": 3.0, "dil_conv_3x3": 2.0, "avg_pool_3x3": 1.0},
        {"dil_conv_3x3": 4.0, "sep_conv_3x3": 3.0, "avg_pool_3x3": 2.0, "skip_connect": 1.0},
    ]
    scores = {(kind, edge): of_edge[edge.source][edge.operation] for kind, edge in space.places}
    assert kept(space, [scores], 0.4, pool) == wanted


def test_rates_are_no_numbers_where_there_is_no_operation():
    masks = dict.fromkeys(KINDS, ((True, True, True, False, False),) * 2)
    space = probed(masks)
    scores = {place: VALUES[place[1].operation] for place in space.places}
    rates = pruned(space, [scores], 0.5, of_each_edge).rates["reduce"]
    assert rates.isnan().tolist() == [[True, False, False, True, True]] * 2
    assert torch.equal(rates[:, 1:3], torch.tensor([[1.0, 0.0]] * 2))
