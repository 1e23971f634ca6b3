"""Mixing weights and selection by stable ranks."""

import pytest
import torch

from ltnas import config as c
from ltnas.axes.build import build_relaxation
from ltnas.axes.selection import select
from ltnas.space.genotype import Edge

OPERATIONS = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")


def relaxation(ranks, **settings):
    made = build_relaxation(c.StableRank(**settings), *ranks.shape)
    made.set_measured({"normal": ranks, "reduce": ranks + 1})
    return made


def test_weights_are_the_softmax_of_negative_ranks():
    ranks = 1 + 5 * torch.rand(5, 4)
    found = relaxation(ranks, temperature=0.5)({})
    wanted = (-2 * ranks).exp()
    for kind in ("normal", "reduce"):  # one rank more for all changes no softmax
        torch.testing.assert_close(found[kind], wanted / wanted.sum(1, keepdim=True))


def test_weights_are_equal_before_the_first_measurement():
    assert build_relaxation(c.StableRank(), 5, 4)({})["reduce"].eq(0.25).all()


def test_an_operation_that_an_edge_does_not_have_has_no_weight():
    ranks = torch.tensor([[2.0, float("inf"), 2.0]])
    assert relaxation(ranks)({})["normal"].tolist() == [[0.5, 0.0, 0.5]]


def test_there_are_no_parameters_and_ranks_are_in_the_state_dict():
    made = relaxation(torch.ones(5, 4))
    assert not made.has_parameters
    assert not list(made.parameters())
    assert set(made.state_dict()) == {"ranks_normal", "ranks_reduce"}


def test_a_measurement_is_written_into_the_same_memory():
    """As recorded steps read it there."""
    made = relaxation(torch.ones(5, 4))
    before = made.measured()["normal"].data_ptr()
    made.set_measured({kind: torch.full((5, 4), 2.0) for kind in ("normal", "reduce")})
    assert made.measured()["normal"].data_ptr() == before
    assert made.measured()["normal"].eq(2).all()


def test_selection_takes_the_smallest_ranks():
    # Edges (node, source): (2, 0), (2, 1), (3, 0), (3, 1), (3, 2).
    ranks = torch.tensor(
        [
            [4.0, 3.0, 6.0, 5.0],
            [2.5, 9.0, 9.0, 9.0],
            [5.0, 5.0, 1.5, 5.0],
            [7.0, 7.0, 7.0, 6.5],
            [8.0, 8.0, 8.0, 2.0],
        ]
    )
    strengths = relaxation(ranks).strengths({})
    genotype, notes = select(c.Top2(), strengths, OPERATIONS, 0)
    wanted = {
        Edge("sep_conv_5x5", 2, 0),
        Edge("sep_conv_3x3", 2, 1),
        Edge("dil_conv_3x3", 3, 0),
        Edge("dil_conv_5x5", 3, 2),
    }
    assert set(genotype.cell("normal").edges) == set(genotype.cell("reduce").edges) == wanted
    assert notes == []


@pytest.mark.parametrize(("scale", "wanted"), [("matrix", 1), ("published", 1)])
def test_both_scales_have_one_temperature(scale, wanted):
    assert c.StableRank(scale=scale).temperature == wanted
