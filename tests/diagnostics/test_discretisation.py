"""Distance between the mixing weights of a supernet and its genotype."""

import pytest
import torch

from ltnas.diagnostics.discretisation import distance
from ltnas.space.genotype import Edge, Genotype, cell_genotype
from ltnas.space.layout import edges

OPERATIONS = ("none", "skip_connect", "sep_conv_3x3")
CELL = cell_genotype(
    [Edge("skip_connect", 2, 0), Edge("sep_conv_3x3", 2, 1), Edge("skip_connect", 3, 2)]
)


def one_hot(cell):
    weights = torch.zeros(len(edges(2)), len(OPERATIONS))
    for edge in cell.edges:
        row = edges(2).index((edge.node, edge.source))
        weights[row, OPERATIONS.index(edge.operation)] = 1
    return weights


def test_distance_is_zero_if_the_weights_are_the_genotype():
    mixing = {"normal": one_hot(CELL), "reduce": one_hot(CELL)}
    assert distance(mixing, Genotype({"normal": CELL, "reduce": CELL}), OPERATIONS, 2) == 0


def test_distance_counts_only_the_operations_of_a_mask():
    normal = one_hot(CELL)
    normal[0, 1] = 0.4
    mixing = {"normal": normal, "reduce": one_hot(CELL)}
    without_none = ((False, True, True),) * 5
    everything = ((True, True, True),) * 5
    found = distance(
        mixing,
        Genotype({"normal": CELL, "reduce": CELL}),
        OPERATIONS,
        2,
        masks={"normal": without_none, "reduce": everything},
    )
    assert found == pytest.approx((0.6 / 10 + 0) / 2)
    everywhere = {"normal": everything, "reduce": everything}
    genotype = Genotype({"normal": CELL, "reduce": CELL})
    unmasked = distance(mixing, genotype, OPERATIONS, 2)
    assert distance(mixing, genotype, OPERATIONS, 2, masks=everywhere) == unmasked


def test_distance_counts_every_weight_of_both_cells():
    normal = one_hot(CELL)
    normal[0, 1] = 0.4  # kept: 0.6 short of one
    normal[3, 0] = 0.3  # dropped: 0.3 more than zero
    mixing = {"normal": normal, "reduce": one_hot(CELL)}
    expected = (0.6 + 0.3) / (15 + 15)
    assert distance(
        mixing, Genotype({"normal": CELL, "reduce": CELL}), OPERATIONS, 2
    ) == pytest.approx(expected)
