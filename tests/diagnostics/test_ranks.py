"""Stable ranks of matrices, and of the candidate operations of a supernet."""

import pytest
import torch
import torch.nn.functional as F
from networks import search_network

from ltnas import config as c
from ltnas.config.space import PARAMETRIC
from ltnas.diagnostics.ranks import (
    build_measure,
    published_areas,
    stable_ranks,
    supernet_ranks,
)
from ltnas.models.stacked import Convolutions
from ltnas.space.layout import edges

SIZE = 16
"""Side of the images, pixels."""


def test_of_known_matrices():
    matrices = torch.stack([torch.eye(3), torch.ones(3, 3), torch.diag(torch.tensor([2.0, 1, 1]))])
    torch.testing.assert_close(stable_ranks(matrices), torch.tensor([3.0, 1.0, 1.5]))


def test_a_scale_changes_nothing():
    matrices = torch.randn(4, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(stable_ranks(7 * matrices), stable_ranks(matrices))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_unrolled_convolution_has_the_rank_of_the_matrix_for_each_pixel(size):
    weight = torch.randn(3, 3, 1, 1, dtype=torch.float64)
    units = torch.eye(3 * size * size, dtype=torch.float64).view(-1, 3, size, size)
    values = torch.linalg.svdvals(F.conv2d(units, weight).flatten(1))
    unrolled = values.square().sum() / values[0] ** 2
    torch.testing.assert_close(unrolled, size**2 * stable_ranks(weight[None, ..., 0, 0])[0])


def network(cells=5, **options):
    torch.manual_seed(0)
    return search_network(PARAMETRIC, nodes=2, cells=cells, **options).double()


def plain_ranks(cell, areas=None):
    """Ranks of a cell, one matrix after another."""
    ranks = torch.full((len(edges(2)), len(PARAMETRIC)), float("inf"), dtype=torch.float64)
    for source in cell.sources:
        for name, module in source.candidates.items():
            for position, row in enumerate(source.rows[name]):
                weight = list(module.units)[-1].pointwise.flatten(1)
                width = weight.shape[1]
                own = weight[position * width : (position + 1) * width].detach()
                rank = (own**2).sum() / torch.linalg.matrix_norm(own, ord=2) ** 2
                ranks[row, source.columns[name]] = rank * (areas[row] if areas else 1)
    return ranks


def test_ranks_are_means_over_the_cells_of_a_kind():
    supernet = network().supernet
    found = supernet_ranks(supernet)
    assert supernet.kinds == ["normal", "reduce", "normal", "reduce", "normal"]
    for kind, numbers in (("normal", (0, 2, 4)), ("reduce", (1, 3))):
        wanted = sum(plain_ranks(supernet.cells[n]) for n in numbers) / len(numbers)
        torch.testing.assert_close(found[kind], wanted)
        assert not found[kind].requires_grad


def test_published_ranks_count_pixels_and_those_of_the_input_within_reduction_cells():
    supernet = network().supernet
    found = supernet_ranks(supernet, SIZE)
    # Edges (2, 0), (2, 1), (3, 0), (3, 1), (3, 2).
    areas = {
        0: [256.0] * 5,
        1: [64.0] * 4 + [256.0],
        2: [64.0] * 5,
        3: [16.0] * 4 + [64.0],
        4: [16.0] * 5,
    }
    for kind, numbers in (("normal", (0, 2, 4)), ("reduce", (1, 3))):
        ranks = [plain_ranks(supernet.cells[n], areas[n]) for n in numbers]
        torch.testing.assert_close(found[kind], sum(ranks) / len(ranks))
    assert published_areas(True, 8, 2).tolist() == [16.0] * 4 + [64.0]


def test_published_mixing_weights_are_nearly_one_hot_and_those_of_matrices_are_not():
    supernet = network(cells=3, channels=16).supernet
    largest = {
        scale: torch.softmax(-build_measure(c.StableRank(scale=scale), 32)(supernet)["normal"], -1)
        .amax(-1)
        .mean()
        for scale in ("matrix", "published")
    }
    assert largest["published"] > 0.99
    assert largest["matrix"] < 0.9


def test_an_operation_that_an_edge_lacks_has_an_infinite_rank():
    mask = ((True, False, True, True),) * 5
    supernet = network(masks={"normal": mask, "reduce": mask}).supernet
    for ranks in supernet_ranks(supernet).values():
        assert ranks[:, 1].isinf().all()
        assert ranks[:, [0, 2, 3]].isfinite().all()


def test_the_cell_of_a_second_branch_counts_as_one_more():
    supernet = network(cells=4, branch_depth=1).supernet
    assert supernet.kinds[-1] == "normal"
    normal = [
        cell for kind, cell in zip(supernet.kinds, supernet.cells, strict=True) if kind == "normal"
    ]
    cells = [*normal, supernet.rebalancing_cell]
    wanted = sum(plain_ranks(cell) for cell in cells) / len(cells)
    torch.testing.assert_close(supernet_ranks(supernet)["normal"], wanted)


def test_spectral_normalisation_changes_no_rank():
    plain, spectral = network().supernet, network(design={"spectral": True}).supernet
    wanted = supernet_ranks(plain)
    for kind, ranks in supernet_ranks(spectral).items():
        assert ranks.equal(wanted[kind])
    unit = next(m for m in spectral.modules() if isinstance(m, Convolutions)).chain()[-1]
    matrices = unit.weights((8, 8))[1].flatten(1).unflatten(0, (unit.edges, -1))
    own = unit.pointwise.flatten(1).unflatten(0, (unit.edges, -1))
    torch.testing.assert_close(stable_ranks(matrices), stable_ranks(own))


def test_other_relaxations_measure_nothing():
    assert build_measure(c.Softmax(), 32) is None


def test_published_parameter_count():
    with torch.device("meta"):
        model = search_network(PARAMETRIC, channels=16, cells=8, design={"spectral": True})
    assert sum(weight.numel() for weight in model.weight_parameters().values()) == 1_889_658
