"""Plans of broad networks: sizes of cells and embeddings."""

import pytest

from ltnas.space.broad_layout import EmbeddingPlan, broad_cells, broad_plan
from ltnas.space.layout import CellPlan

WIDTHS = {"normal": 4, "enhancement": 4}


@pytest.mark.parametrize(
    ("cells", "expected"), [(2, [0, 1]), (3, [0, 2]), (4, [1, 3]), (5, [1, 4]), (6, [2, 5])]
)
def test_broad_cells_end_the_two_blocks(cells, expected):
    assert broad_cells(cells) == expected


def test_the_plan_of_the_search_network():
    plan = broad_plan(16, 2, 1, widths=WIDTHS, stem=48)
    assert plan.convolution == [
        CellPlan(32, 48, 48, reduction=True, follows_reduction=False, kind="normal"),
        CellPlan(64, 48, 128, reduction=True, follows_reduction=True, kind="normal"),
    ]
    assert plan.enhancement == [
        CellPlan(64, 32, 256, reduction=False, follows_reduction=False, kind="enhancement")
    ]
    assert plan.scales == [EmbeddingPlan(48, 16, 2), EmbeddingPlan(128, 32, 1)]
    assert plan.bridges == [EmbeddingPlan(128, 32, 1), EmbeddingPlan(256, 256, 0)]
    assert plan.enhanced == [EmbeddingPlan(256, 256, 0)]
    assert plan.features == 16 + 32 + 256


def test_the_plan_of_the_published_discrete_networks():
    plan = broad_plan(48, 6, 2, widths=WIDTHS, stem=144)
    assert [cell.channels for cell in plan.convolution] == [48, 48, 96, 96, 96, 192]
    assert [cell.reduction for cell in plan.convolution] == [False, False, True] * 2
    assert [cell.follows_reduction for cell in plan.convolution] == [
        *[False] * 3,
        True,
        *[False] * 2,
    ]
    # The second enhancement cell sees the output of the last broad cell.
    assert [(cell.before_previous, cell.previous) for cell in plan.enhancement] == [
        (96, 768),
        (768, 768),
    ]
    assert plan.scales == [EmbeddingPlan(192, 48, 2), EmbeddingPlan(384, 96, 1)]
    assert plan.enhanced == [EmbeddingPlan(768, 192, 0), EmbeddingPlan(768, 768, 0)]
    assert plan.features == 48 + 96 + 192 + 768


def test_cells_may_concatenate_different_numbers_of_nodes():
    plan = broad_plan(10, 4, 3, widths={"normal": 3, "enhancement": 2}, stem=7, stem_reduces=True)
    assert [(cell.before_previous, cell.previous) for cell in plan.convolution] == [
        *((7, 7), (7, 10 * 3)),
        *((10 * 3, 20 * 3), (20 * 3, 20 * 3)),
    ]
    assert plan.convolution[0].follows_reduction
    assert [(cell.before_previous, cell.previous) for cell in plan.enhancement] == [
        *((20, 40 * 3), (40 * 3, 40 * 2), (40 * 2, 40 * 2)),
    ]
    assert [embedding.outputs for embedding in plan.enhanced] == [40, 40, 80]
