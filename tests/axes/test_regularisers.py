"""Terms on the architecture: zero-one losses, the divergence of DrNAS, the cost of SNAS."""

import math

import pytest
import torch

from ltnas.axes.masks import EdgeMasks
from ltnas.axes.regularisers import build_regulariser, zero_one_l1, zero_one_l2
from ltnas.config import Cost, DirichletDivergence, NoRegulariser, ZeroOneL1, ZeroOneL2
from ltnas.space.cost import supernet_costs
from ltnas.space.layout import cell_plans

EVERYTHING = EdgeMasks(dict.fromkeys(("normal", "reduce"), ((True,),)))
"""Masks that leave nothing out."""
POINTS = torch.tensor([[-3.0, -1.0, 0.0, 1.0, 3.0]], dtype=torch.float64).sigmoid()


def test_values():
    assert float(zero_one_l2({"normal": POINTS}, EVERYTHING)) == pytest.approx(-0.1032846, abs=5e-8)
    assert float(zero_one_l1({"normal": POINTS}, EVERYTHING)) == pytest.approx(-0.2734531, abs=5e-8)


@pytest.mark.parametrize(("form", "least"), [(zero_one_l1, -0.5), (zero_one_l2, -0.25)])
def test_least_where_all_weights_are_zero_or_one(form, least):
    decided = {"normal": torch.tensor([[0.0, 1.0]]), "reduce": torch.tensor([[1.0, 1.0]])}
    assert float(form(decided, EVERYTHING)) == least
    assert float(form({"normal": torch.full((2, 3), 0.5)}, EVERYTHING)) == 0


def test_the_mean_is_over_all_operations_edges_and_kinds():
    weights = {"normal": torch.ones(1, 4), "reduce": torch.full((1, 4), 0.5)}
    assert float(zero_one_l1(weights, EVERYTHING)) == -0.25


def test_weighted():
    weights = {"normal": torch.ones(2, 2)}
    assert float(build_regulariser(ZeroOneL1(weight=3.0))({}, weights, EVERYTHING)) == -1.5
    assert float(build_regulariser(ZeroOneL2(weight=3.0))({}, weights, EVERYTHING)) == -0.75
    assert build_regulariser(NoRegulariser()) is None


def test_dirichlet_divergence_sums_over_edges_and_kinds():
    # elu(1) + 1 = 2 for the first of seven operations, and 1 for the others.
    parameters = torch.zeros(3, 7, dtype=torch.float64)
    parameters[0, 0] = 1
    both = {"normal": parameters, "reduce": parameters}
    term = build_regulariser(DirichletDivergence(weight=0.5))
    assert float(term(both, {}, EVERYTHING)) == pytest.approx(0.5 * 2 * 0.353053, abs=1e-6)


def test_masked_operations_are_no_part_of_the_divergence():
    # Three of seven operations: as if there were only these.
    mask = ((True, False, True, False, False, True, False),)
    parameters = torch.randn(1, 7, dtype=torch.float64)
    term = build_regulariser(DirichletDivergence(weight=1.0))
    some = term({"normal": parameters}, {}, EdgeMasks({"normal": mask}))
    kept = parameters[:, [0, 2, 5]]
    every = term({"normal": kept}, {}, EVERYTHING)
    torch.testing.assert_close(some, every)


OPERATIONS = ("none", "max_pool_3x3", "skip_connect", "sep_conv_3x3")


def costs(cells):
    plans = cell_plans(4, cells, {"normal": 1, "reduce": 1}, stem=12, stem_before=12)
    return supernet_costs(OPERATIONS, 1, plans=plans, side=16, partial_channels=1)


def test_the_expected_cost_is_that_of_a_plain_loop():
    generator = torch.Generator().manual_seed(0)
    weights = {kind: torch.rand(2, 4, generator=generator) for kind in ("normal", "reduce")}
    expected = 0.0
    for kind, all_cells in costs(6).items():
        for cell in all_cells:
            for row, edge in enumerate(cell):
                for part in range(3):
                    sizes = [operation[part] for operation in edge]
                    mean = sum(float(w) * s for w, s in zip(weights[kind][row], sizes, strict=True))
                    expected += math.log(mean) / 3 / len(all_cells)
    term = build_regulariser(Cost(weight=0.5), costs(6))
    assert float(term({}, weights, EVERYTHING)) == pytest.approx(0.5 * expected, rel=1e-5)
    assert len(costs(6)["normal"]) == 4


def test_a_cheaper_architecture_has_a_smaller_term():
    term = build_regulariser(Cost(), costs(3))
    ordered = []
    for column in (0, 2, 1, 3):
        weights = torch.zeros(2, 4)
        weights[:, column] = 1
        ordered.append(float(term({}, {"normal": weights, "reduce": weights}, EVERYTHING)))
    assert ordered == sorted(set(ordered))
    assert ordered[0] == 0.0  # of `none` everywhere


def test_the_term_lowers_the_weight_of_expensive_operations():
    parameters = torch.zeros(2, 4, requires_grad=True)
    weights = parameters.softmax(-1)
    build_regulariser(Cost(), costs(3))(
        {}, {"normal": weights, "reduce": weights}, EVERYTHING
    ).backward()
    assert (parameters.grad[:, 3] > 0).all()
    assert (parameters.grad[:, 0] < 0).all()


def test_a_stack_without_normal_cells_has_a_cost():
    weights = {kind: torch.full((2, 4), 0.25) for kind in ("normal", "reduce")}
    assert set(costs(2)) == {"reduce"}
    assert float(build_regulariser(Cost(), costs(2))({}, weights, EVERYTHING)) > 0
