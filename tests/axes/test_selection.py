"""From mixing weights to genotypes."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ltnas.axes.selection import (
    entropy,
    every_edge,
    pooled,
    select,
    threshold_edge,
    threshold_sparse,
    top2,
)
from ltnas.config import OPERATIONS, RandomDraw, ThresholdEdge, ThresholdSparse, Top2
from ltnas.space.drawing import random_genotype
from ltnas.space.edge_masks import full_mask
from ltnas.space.genotype import Edge
from ltnas.space.layout import edges


def official_top2(weights, operations):
    """The rule of DARTS re-typed from section 2.4: 14 edges, four nodes."""
    chosen, first = [], 0
    none = operations.index("none") if "none" in operations else -1
    for node in range(4):
        rows = weights[first : first + node + 2]
        allowed = [k for k in range(len(operations)) if k != none]
        strength = [max(row[k] for k in allowed) for row in rows]
        for source in sorted(range(node + 2), key=lambda j: -strength[j])[:2]:
            best = None
            for k in allowed:
                if best is None or rows[source][k] > rows[source][best]:
                    best = k
            chosen.append(Edge(operations[best], node + 2, source))
        first += node + 2
    return chosen


@given(st.integers(0, 10**6), st.booleans())
def test_top2_is_the_rule_of_darts(seed, with_none):
    operations = list(OPERATIONS) if with_none else list(OPERATIONS[1:])
    generator = torch.Generator().manual_seed(seed)
    # few different values, so that ties are met
    weights = torch.randint(0, 6, (14, len(operations)), generator=generator).float()
    assert top2(weights, operations) == official_top2(weights.tolist(), operations)


def test_all_equal_gives_max_pool_from_both_inputs():
    genotype, notes = select(
        Top2(), dict.fromkeys(("normal", "reduce"), torch.zeros(14, 8)), OPERATIONS, 0
    )
    assert notes == []
    for cell in (genotype.cell("normal"), genotype.cell("reduce")):
        assert [(edge.operation, edge.source) for edge in cell.edges] == [
            ("max_pool_3x3", 0),
            ("max_pool_3x3", 1),
        ] * 4
        assert cell.concat == (2, 3, 4, 5)


def test_none_is_never_chosen():
    weights = torch.rand(14, 8)
    weights[:, 0] = 5
    assert all(edge.operation != "none" for edge in top2(weights, OPERATIONS))
    assert all(edge.operation != "none" for edge in threshold_edge(weights, OPERATIONS, 0.1))


def test_threshold_sparse_drops_what_is_below():
    weights = torch.full((14, 7), 0.1)
    operations = OPERATIONS[1:]
    weights[0, 3] = 0.9  # 0 -> 2
    weights[3, 2] = 0.85  # 1 -> 3: on the threshold counts
    weights[8, 4] = 0.84  # below
    assert threshold_sparse(weights, operations, 0.85) == [
        Edge("sep_conv_3x3", 2, 0),
        Edge("skip_connect", 3, 1),
    ]


def test_threshold_edge_takes_two_of_any_edge():
    weights = torch.full((14, 7), 0.1)
    operations = OPERATIONS[1:]
    weights[0, :3] = torch.tensor([0.9, 0.95, 0.99])
    weights[13, 6] = 0.9
    assert threshold_edge(weights, operations, 0.85) == [
        Edge("avg_pool_3x3", 2, 0),
        Edge("skip_connect", 2, 0),
        Edge("dil_conv_5x5", 5, 4),
    ]


@pytest.mark.parametrize("rule", [ThresholdSparse(), ThresholdEdge()])
def test_an_emptied_cell_falls_back_and_says_so(rule):
    weights = {"normal": torch.full((14, 8), 0.5), "reduce": torch.full((14, 8), 0.5)}
    weights["reduce"][0, 4] = 0.9
    genotype, notes = select(rule, weights, OPERATIONS, 0)
    assert genotype.cell("reduce").edges == (Edge("sep_conv_3x3", 2, 0),)
    assert len(genotype.cell("normal").edges) == 8
    assert len(notes) == 1
    assert "normal cell" in notes[0]
    assert "0.500" in notes[0]


def test_edges_that_reach_no_output_count_as_an_empty_cell():
    weights = {"normal": torch.full((14, 8), 0.5), "reduce": torch.full((14, 8), 0.9)}
    weights["normal"][4, 4] = 0.9  # 2 -> 3 alone: nothing leads to 2
    genotype, notes = select(ThresholdSparse(), weights, OPERATIONS, 0)
    assert len(notes) == 1
    assert len(genotype.cell("normal").edges) == 8


def test_random_depends_on_the_seed_and_on_no_weights():
    mixing = dict.fromkeys(("normal", "reduce"), torch.rand(14, 8))
    genotype, notes = select(RandomDraw(), mixing, OPERATIONS, 3)
    assert genotype == random_genotype(OPERATIONS, 4, 3)
    assert notes == []
    assert not RandomDraw.reads_weights
    assert Top2.reads_weights


def test_a_genotype_has_the_kinds_of_its_macro_network_in_their_order():
    kinds = ("normal", "enhancement")
    weights = {kind: torch.rand(14, 8) for kind in kinds}
    for selection in (Top2(), RandomDraw()):
        genotype, _ = select(selection, weights, OPERATIONS, 3, macro="broad")
        assert genotype.macro == "broad"
        assert tuple(genotype.cells) == kinds


# --- masks --------------------------------------------------------------------------------------

RULES = [Top2(), ThresholdSparse(threshold=-9.0), ThresholdEdge(threshold=-9.0), RandomDraw()]


@st.composite
def masks(draw):
    """Draw a mask of each kind of cell that leaves each edge an operation other than none."""
    row = st.tuples(*[st.booleans()] * 8).filter(lambda there: any(there[1:]))
    cell = st.tuples(*[row] * 14)
    return {"normal": draw(cell), "reduce": draw(cell)}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("level", [0.0, -3.0, None])
@settings(max_examples=15, deadline=None)
@given(masks=masks(), seed=st.integers(0, 10**6))
def test_a_masked_operation_is_never_chosen(rule, level, masks, seed):
    generator = torch.Generator().manual_seed(seed)
    kinds = ("normal", "reduce")
    drawn = {kind: torch.randn(14, 8, generator=generator) for kind in kinds}
    weights = drawn if level is None else dict.fromkeys(kinds, torch.full((14, 8), level))
    genotype, _ = select(rule, weights, OPERATIONS, seed, masks=masks)
    rows = {edge: row for row, edge in enumerate(edges(4))}
    for kind in kinds:
        for operation, node, source in genotype.cell(kind).edges:
            assert masks[kind][rows[node, source]][OPERATIONS.index(operation)]
        nodes = [edge.node for edge in genotype.cell(kind).edges]
        assert min(nodes.count(node) for node in (2, 3, 4, 5)) >= 2


@pytest.mark.parametrize("rule", RULES)
def test_a_mask_that_leaves_nothing_out_selects_the_same(rule):
    weights = {kind: torch.randn(14, 8) for kind in ("normal", "reduce")}
    full = dict.fromkeys(weights, full_mask(4, 8))
    expected = select(rule, weights, OPERATIONS, 5)
    assert select(rule, weights, OPERATIONS, 5, masks=full) == expected


def test_a_threshold_that_empties_a_masked_cell_falls_back_to_existing_operations():
    weights = dict.fromkeys(("normal", "reduce"), torch.full((14, 8), 0.5))
    skips = dict.fromkeys(weights, ((*[False] * 3, True, *[False] * 4),) * 14)
    genotype, notes = select(ThresholdSparse(), weights, OPERATIONS, 0, masks=skips)
    assert len(notes) == 2
    assert "0.500" in notes[0]
    assert genotype.count("skip_connect") == 16


def test_entropy():
    assert entropy(torch.full((len(edges(4)), 8), 0.125)) == pytest.approx(math.log(8))
    assert entropy(torch.full((14, 8), 0.5)) == pytest.approx(math.log(8))
    assert entropy(torch.eye(8)) == 0


NAMES = ("none", "skip_connect", "sep_conv_3x3")
# Edges 0 -> 2, 1 -> 2, 0 -> 3, 1 -> 3 and 2 -> 3.
WEIGHTS = torch.tensor(
    [[0.1, 0.5, 0.4], [0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.3, 0.2], [0.1, 0.45, 0.44]]
)


def test_pooled_pairs_may_lie_on_one_edge():
    # Node 2: both of the edge from 0, 0.5 and 0.4; node 3: 0.6 of state 0, then 0.45 of state 2.
    assert pooled(WEIGHTS, NAMES) == [
        *(Edge("skip_connect", 2, 0), Edge("sep_conv_3x3", 2, 0)),
        *(Edge("skip_connect", 3, 0), Edge("skip_connect", 3, 2)),
    ]


def test_every_edge_is_kept_unless_none_is_strongest():
    assert every_edge(WEIGHTS, NAMES) == [
        *(Edge("skip_connect", 2, 0), Edge("skip_connect", 3, 0), Edge("skip_connect", 3, 2)),
    ]


def test_the_weakest_skip_connections_of_the_normal_cell_are_replaced():
    both = {"normal": WEIGHTS, "reduce": WEIGHTS}
    free, _ = select(Top2(), both, NAMES, 0)
    assert free.cell("normal").share("skip_connect") == 1
    limited, _ = select(Top2(most_skips=2), both, NAMES, 0)
    # First the one of weight 0.2 (1 -> 2) becomes a convolution, then that of 0.45 (2 -> 3).
    assert set(limited.cell("normal").edges) == {
        *(Edge("skip_connect", 2, 0), Edge("sep_conv_3x3", 2, 1)),
        *(Edge("skip_connect", 3, 0), Edge("sep_conv_3x3", 3, 2)),
    }
    assert limited.cell("reduce") == free.cell("reduce")
    none, _ = select(Top2(most_skips=0), both, NAMES, 0)
    assert none.cell("normal").share("skip_connect") == 0
