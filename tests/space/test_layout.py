"""Layout of cells: edges, reductions, widths."""

import pytest

from ltnas.space.layout import (
    CellPlan,
    StateShape,
    cell_plans,
    chosen_stem,
    edges,
    last_state_shapes,
    reductions,
)

WIDTHS = {"normal": 4, "reduce": 4}


def test_edges_come_node_by_node_and_source_by_source():
    assert edges(1) == [(2, 0), (2, 1)]
    assert edges(4) == [
        *((2, 0), (2, 1)),
        *((3, 0), (3, 1), (3, 2)),
        *((4, 0), (4, 1), (4, 2), (4, 3)),
        *((5, 0), (5, 1), (5, 2), (5, 3), (5, 4)),
    ]


@pytest.mark.parametrize(("nodes", "count"), [(1, 2), (2, 5), (3, 9), (4, 14), (5, 20)])
def test_the_number_of_edges(nodes, count):
    assert len(edges(nodes)) == len(set(edges(nodes))) == count


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        *((1, {0}), (2, {0, 1}), (3, {1, 2}), (4, {1, 2}), (5, {1, 3})),
        *((8, {2, 5}), (14, {4, 9}), (20, {6, 13})),
    ],
)
def test_reductions_are_at_a_third_and_two_thirds(cells, expected):
    assert reductions(cells) == expected


def test_the_plan_of_eight_cells():
    """The widths of the DARTS search network: 16, then 32 from cell 2, then 64 from cell 5."""
    plans = cell_plans(16, 8, WIDTHS, stem=48, stem_before=48)
    assert plans == [
        CellPlan(16, 48, 48, reduction=False, follows_reduction=False, kind="normal"),
        CellPlan(16, 48, 64, reduction=False, follows_reduction=False, kind="normal"),
        CellPlan(32, 64, 64, reduction=True, follows_reduction=False, kind="reduce"),
        CellPlan(32, 64, 128, reduction=False, follows_reduction=True, kind="normal"),
        CellPlan(32, 128, 128, reduction=False, follows_reduction=False, kind="normal"),
        CellPlan(64, 128, 128, reduction=True, follows_reduction=False, kind="reduce"),
        CellPlan(64, 128, 256, reduction=False, follows_reduction=True, kind="normal"),
        CellPlan(64, 256, 256, reduction=False, follows_reduction=False, kind="normal"),
    ]


def test_kinds_of_cell_may_differ_in_width():
    plans = cell_plans(10, 4, {"normal": 3, "reduce": 2}, stem=30, stem_before=31)
    assert [(plan.channels, plan.before_previous, plan.previous) for plan in plans] == [
        (10, 31, 30),
        (20, 30, 10 * 3),
        (40, 10 * 3, 20 * 2),
        (40, 20 * 2, 40 * 2),
    ]
    assert [plan.follows_reduction for plan in plans] == [False, False, True, True]


@pytest.mark.parametrize("reduces", [False, True])
def test_a_stem_may_halve_the_size_before_the_first_cell(reduces):
    plans = cell_plans(48, 14, WIDTHS, 48, 48, stem_reduces=reduces)
    assert [index for index, plan in enumerate(plans) if plan.follows_reduction] == (
        [0, 5, 10] if reduces else [5, 10]
    )


@pytest.mark.parametrize(
    ("size", "chosen"),
    [(8, "cifar"), (64, "cifar"), (95, "cifar"), (96, "imagenet"), (224, "imagenet")],
)
def test_the_stem_is_chosen_by_the_size_unless_it_is_named(size, chosen):
    assert chosen_stem("auto", size) == chosen
    assert [chosen_stem(name, size) for name in ("cifar", "imagenet")] == ["cifar", "imagenet"]


@pytest.mark.parametrize("halvings", [0, 3])
def test_shapes_of_states_begin_behind_the_stem(halvings):
    plans = cell_plans(16, 8, WIDTHS, stem=48, stem_before=48)
    assert last_state_shapes(plans, 256, halvings) == [
        StateShape(64, halvings),
        StateShape(128, halvings + 1),
        StateShape(256, halvings + 2),
    ]


def test_one_cell_is_a_reduction():
    assert cell_plans(4, 1, WIDTHS, 12, 12) == [CellPlan(8, 12, 12, True, False, kind="reduce")]
