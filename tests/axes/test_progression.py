"""Stages of a search, and what they keep."""

import math

import pytest
import torch

from ltnas import config as c
from ltnas.axes.progression import (
    epochs_of_stages,
    keep_strongest,
    search_stages,
    skip_dropout_rate,
)


def test_stages_of_p_darts():
    config = c.SearchConfig(cells=5, epochs=75, progression=c.Deepen())
    stages = search_stages(config)
    assert [stage.cells for stage in stages] == [5, 11, 17]
    assert [stage.operations for stage in stages] == [8, 5, 3]
    assert [(stage.first_epoch, stage.epochs) for stage in stages] == [(0, 25), (25, 25), (50, 25)]
    assert [stage.skip_dropout for stage in stages] == [0.1, 0.4, 0.7]
    assert all(stage.restarts and not stage.inherits for stage in stages)


def test_stages_of_drnas():
    progression = c.Widen(operations=[8, 4])
    config = c.SearchConfig(channels=36, cells=20, epochs=50, progression=progression)
    stages = search_stages(config)
    assert [(stage.partial_channels, stage.operations) for stage in stages] == [(6, 8), (4, 4)]
    assert [stage.inherits for stage in stages] == [False, True]
    assert not any(stage.restarts for stage in stages)


@pytest.mark.parametrize(
    ("epochs", "wanted"), [(75, [25, 25, 25]), (40, [14, 13, 13]), (5, [2, 2, 1])]
)
def test_equal_parts_give_the_remainder_to_the_first_stages(epochs, wanted):
    assert epochs_of_stages(c.Deepen(), epochs) == wanted


def test_the_strongest_operations_are_kept():
    names = ("none", "skip_connect", "sep_conv_3x3")
    strengths = torch.tensor([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05], [0.1, 0.8, 0.1]])
    every = ((True, True, True),) * 3
    assert keep_strongest(strengths, every, names, 2) == (
        (False, True, True),
        (True, True, False),  # of equal strengths the first
        (True, True, False),
    )
    # Not `none` alone, and nothing that the edge did not have.
    assert keep_strongest(strengths, every, names, 1)[1] == (False, True, False)
    some = ((True, True, True), (True, False, True), (True, True, True))
    assert keep_strongest(strengths, some, names, 2)[1] == (True, False, True)


def test_dropout_decays_linearly_in_the_warm_up_and_exponentially_after():
    rates = [skip_dropout_rate(0.4, epoch, 25, 10) for epoch in range(25)]
    assert rates[0] == pytest.approx(0.4 * 24 / 25)
    assert rates[9] == pytest.approx(0.4 * 15 / 25)
    assert rates[10] == pytest.approx(0.4)
    assert rates[14] == pytest.approx(0.4 * math.exp(-0.8))
