"""Selection by what is lost without an operation, with losses that are known."""

import random

import torch

from ltnas.axes.removal import select_by_removal, without
from ltnas.space.genotype import Edge

NAMES = ("none", "skip_connect", "sep_conv_3x3", "max_pool_3x3")
NODES = 2
KINDS = ("normal", "reduce")
# Edges 0 -> 2, 1 -> 2, 0 -> 3, 1 -> 3 and 2 -> 3.
VALUES = {
    "normal": torch.tensor(
        [
            [9.0, 1.0, 2.0, 3.0],
            [9.0, 5.0, 4.0, 1.0],
            [9.0, 1.0, 7.0, 2.0],
            [9.0, 2.0, 1.0, 3.0],
            [9.0, 6.0, 5.0, 4.0],
        ]
    ),
    "reduce": torch.tensor([[9.0, 3.0, 2.0, 1.0]] * 5),
}


def additive(mixing):
    """Return a fitness to which each operation adds its value if its weight is not zero."""
    return sum(float(VALUES[kind][mixing[kind] > 0].sum()) for kind in KINDS)


def test_the_most_valuable_operation_and_edges_are_kept():
    mixing = dict.fromkeys(KINDS, torch.full((5, 4), 0.25))
    for seed in range(5):  # the order does not matter to a sum
        genotype, decisions = select_by_removal(mixing, NAMES, NODES, additive, random.Random(seed))
        # Best operation of each edge: 3, 5, 7, 3, 6; node 3 keeps the edges with 7 and 6.
        assert genotype.cell("normal").edges == (
            Edge("max_pool_3x3", 2, 0),
            Edge("skip_connect", 2, 1),
            Edge("sep_conv_3x3", 3, 0),
            Edge("skip_connect", 3, 2),
        )
        # Of equal edges the first are kept.
        assert [edge.source for edge in genotype.cell("reduce").edges] == [0, 1, 0, 1]
        assert len(decisions) == 2 * (5 + 2)


def test_decisions_depend_on_those_before_them():
    """Two edges whose operations are redundant: once one is decided, the other changes."""
    seen = []

    def fitness(mixing):
        seen.append(mixing)
        return 0.0

    mixing = dict.fromkeys(KINDS, torch.full((5, 4), 0.25))
    _, decisions = select_by_removal(mixing, NAMES, NODES, fitness, random.Random(0))
    # 3 operations on each of 10 edges, then 2 and 3 edges into the nodes of both cells.
    assert len(seen) == 30 + 10
    decided = [
        sum(int((values == 1).any(1).sum()) for values in mixing.values()) for mixing in seen
    ]
    assert decided[:30] == [edge for edge in range(10) for _ in range(3)]
    # In the second part an edge is missing, and later those that were not kept.
    assert decided[30] == 9
    first = decisions[10]
    assert len(first.kept) == 2
    assert mixing["normal"].eq(0.25).all()


def test_the_supernet_is_tuned_between_decisions_with_those_that_were_made():
    mixing = dict.fromkeys(KINDS, torch.full((5, 4), 0.25))
    arguments = (mixing, NAMES, NODES, additive)
    tuned = []
    found = select_by_removal(*arguments, random.Random(0), tune=tuned.append)
    assert found == select_by_removal(*arguments, random.Random(0))
    # 10 edges and 4 nodes are decided, and nothing follows the last decision.
    assert len(tuned) == 13
    decided = [sum(int((w[kind] == 1).any(1).sum()) for kind in KINDS) for w in tuned]
    assert decided[:10] == list(range(1, 11))
    assert decided[-1] < 10


def test_an_operation_that_an_edge_lacks_is_no_candidate():
    row = torch.tensor([0.0, 0.5, 0.5, 0.0])
    mixing = dict.fromkeys(KINDS, row.repeat(5, 1))
    genotype, decisions = select_by_removal(mixing, NAMES, NODES, additive, random.Random(0))
    assert {name for d in decisions for _, name in d.without} <= {"skip_connect", "sep_conv_3x3"}
    assert genotype.count("max_pool_3x3") == 0


def test_the_rest_of_a_softmax_without_an_operation_is_a_softmax():
    parameters = torch.randn(5, dtype=torch.float64)
    expected = parameters.clone()
    expected[2] = -torch.inf
    found = without(parameters.softmax(0), 2)
    torch.testing.assert_close(found, expected.softmax(0))


def test_without_its_only_operation_an_edge_adds_nothing():
    assert without(torch.tensor([0.0, 0.7]), 1).tolist() == [0.0, 0.0]
