"""Spectral normalisation: singular values of convolutions that are written out as matrices."""

import copy

import pytest
import torch
import torch.nn.functional as F
from networks import search_network
from recording import Recording
from torch import nn
from torch.func import functional_call

from ltnas.config import OPERATIONS
from ltnas.kernels.convolutions import Geometry
from ltnas.models.cell_design import CellDesign
from ltnas.models.sources import EdgeWeights
from ltnas.models.spectral import (
    largest_responses,
    largest_singular_values,
    normalised_kernels,
    normalised_matrices,
)
from ltnas.models.stacked import Convolutions, Reduce, Unit
from ltnas.models.supernet import SupernetCell
from ltnas.space.edge_masks import full_mask
from ltnas.space.layout import CellPlan, edges


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def unrolled(weight, size, groups, stride=1, dilation=1):
    """The matrix of a convolution with circular padding: its images of all unit vectors."""
    channels, pad = weight.shape[1] * groups, dilation * (weight.shape[-1] // 2)
    units = torch.eye(channels * size * size, dtype=weight.dtype)
    images = F.pad(units.view(-1, channels, size, size), (pad,) * 4, mode="circular")
    return F.conv2d(images, weight, stride=stride, dilation=dilation, groups=groups).flatten(1).T


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_largest_response_is_the_norm_of_the_unrolled_convolution(size, kernel, stride, dilation):
    weight = random(3, 1, kernel, kernel)
    geometry = Geometry(kernel, stride, dilation)
    found = largest_responses(weight.squeeze(1)[None], geometry, (size, size))
    matrix = unrolled(weight, size, 3, stride, dilation)
    torch.testing.assert_close(found, torch.linalg.matrix_norm(matrix, ord=2)[None])


def test_images_need_not_be_square():
    kernels = random(1, 1, 3, 3)
    found = largest_responses(kernels, Geometry(3, 1, 1), (4, 10))
    magnitudes = torch.fft.fft2(kernels[0, 0], s=(4, 10)).abs()
    torch.testing.assert_close(found, magnitudes.amax()[None])


def test_the_gradient_of_a_response_is_that_of_the_unrolled_norm():
    weight = random(2, 1, 3, 3).requires_grad_()
    ours = largest_responses(weight.squeeze(1)[None], Geometry(3, 2, 1), (6, 6)).sum()
    theirs = torch.linalg.matrix_norm(unrolled(weight, 6, 2, stride=2), ord=2)
    (found,), (wanted,) = (torch.autograd.grad(value, weight) for value in (ours, theirs))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (4, 8), (1, 1)])
def test_largest_singular_values_and_their_gradients_are_those_of_an_svd(rows, columns):
    matrices = random(5, rows, columns).requires_grad_()
    found, wanted = largest_singular_values(matrices), torch.linalg.matrix_norm(matrices, ord=2)
    torch.testing.assert_close(found, wanted)
    factors = random(5, seed=1)
    gradients = [torch.autograd.grad((v * factors).sum(), matrices)[0] for v in (found, wanted)]
    torch.testing.assert_close(*gradients)


def test_equal_singular_values_share_the_gradient():
    matrices = 3 * torch.eye(4, dtype=torch.float64)[None]
    matrices.requires_grad_()
    value = largest_singular_values(matrices)
    assert float(value.detach()) == pytest.approx(3)
    (gradient,) = torch.autograd.grad(value.sum(), matrices)
    torch.testing.assert_close(gradient, torch.eye(4, dtype=torch.float64)[None] / 4)


def test_each_edge_is_divided_by_its_own_value():
    geometry = Geometry(3, 1, 2)
    kernels, matrices = random(2 * 3, 1, 3, 3), random(2 * 3, 3, 1, 1, seed=1)
    kernels[3:] *= 100
    matrices[3:] /= 100
    for weight in normalised_kernels(kernels, 2, geometry, (8, 8)).split(3):
        matrix = unrolled(weight, 8, 3, dilation=2)
        assert float(torch.linalg.matrix_norm(matrix, ord=2)) == pytest.approx(1)
    for weight in normalised_matrices(matrices, 2).split(3):
        matrix = unrolled(weight, 4, 1)
        assert float(torch.linalg.matrix_norm(matrix, ord=2)) == pytest.approx(1)


def test_weights_are_normalised_in_full_precision_under_mixed_precision():
    weight = random(8, 4, 1, 1).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = normalised_matrices(weight, 2)
    assert found.equal(normalised_matrices(weight, 2))


def test_the_second_unit_sees_the_size_after_the_stride():
    made = Convolutions("sep_conv_3x3", 2, 4, stride=2, spectral=True).double()
    # Kernels whose largest response is at an eighth of a period, which 4 pixels cannot hold.
    second = made.chain()[1].depthwise.data.zero_()
    second[:, :, 1] = torch.tensor([2.0, 1.9, -0.5], dtype=torch.float64)
    *_, kernels, matrices = made.weights((8, 8))
    wanted, _ = made.chain()[1].weights((4, 4))
    assert kernels.equal(wanted)
    assert not kernels.equal(made.chain()[1].weights((8, 8))[0])
    assert matrices.shape == (8, 4, 1, 1)


def test_other_units_hand_out_their_parameters():
    unit = Unit(2, 4, 3, 1, 1)
    assert unit.weights((8, 8))[0] is unit.depthwise
    assert Reduce(2, 4).weights()[1].shape == (4, 4, 1, 1)


def cell(reduction, partial=1, names=OPERATIONS):
    """A cell of two nodes in float64 without preprocessing, and its inputs."""
    torch.manual_seed(0)
    design = CellDesign(names, 2, partial_channels=partial, spectral=True)
    made = SupernetCell(
        CellPlan(8, 8, 8, reduction, False, kind="normal"),
        design,
        full_mask(design.nodes, len(design.operations)),
    ).double()
    made.preprocess0 = made.preprocess1 = nn.Identity()
    inputs = [
        random(3, 8, 6, 6, seed=seed).contiguous(memory_format=torch.channels_last)
        for seed in range(2)
    ]
    weights = torch.rand(len(edges(2)), design.columns, dtype=torch.float64)
    return made, [x.requires_grad_() for x in inputs], weights.requires_grad_()


@pytest.mark.parametrize("reduction", [False, True])
@pytest.mark.parametrize("partial", [1, 4])
def test_both_executors_agree_in_everything(reduction, partial):
    made, inputs, weights = cell(reduction, partial)
    leaves = [*inputs, weights, *made.parameters()]
    results = []
    for executor in made.executors:
        assert executor.can_run(inputs[0])
        out = executor.run(*inputs, EdgeWeights(weights))
        gradients = torch.autograd.grad((out * out.detach().cos()).sum(), leaves)
        results.append([out, *gradients])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("executor", [0, 1])
@pytest.mark.parametrize("reduction", [False, True])
def test_a_cell_computes_with_weights_that_were_divided_before(executor, reduction):
    """A plain cell whose parameters are the normalised weights gives the same nodes."""
    made, inputs, weights = cell(reduction)
    plain = copy.deepcopy(made)
    for source in plain.sources:
        size = (3, 3) if reduction and source.state > 1 else (6, 6)
        for module in source.candidates.values():
            if isinstance(module, Convolutions):
                for unit, own in list(module.sizes(size)):
                    unit.depthwise.data, unit.pointwise.data = unit.weights(own)
                    unit.spectral = False
            elif isinstance(module, Reduce):
                module.conv_1.data, module.conv_2.data = module.weights()
                module.spectral = False
    assert any(
        not one.equal(other)
        for one, other in zip(made.parameters(), plain.parameters(), strict=True)
    )
    found, wanted = (
        one.executors[executor].run(*inputs, EdgeWeights(weights)) for one in (made, plain)
    )
    torch.testing.assert_close(found, wanted)


def network(checkpointed=False):
    torch.manual_seed(0)
    return search_network(nodes=2, design={"spectral": True}, checkpointed=checkpointed).double()


def logits_and_gradients(model, images):
    logits = model(images)
    weights = list(model.weight_parameters().values())
    return [logits.detach(), *torch.autograd.grad(logits.square().sum(), weights)]


def test_the_scale_of_a_convolution_changes_nothing():
    """Divided always, not only when the singular value is above 1."""
    model, images = network(), random(4, 3, 8, 8)
    before = model(images)
    with torch.no_grad():
        for source in model.supernet.cells[0].sources:
            for name, parameter in source.named_parameters():
                if name.startswith(("candidates.sep", "candidates.dil")):
                    parameter.mul_(1e-3)  # far below the constant of a normalisation
    torch.testing.assert_close(model(images), before)


def test_checkpointed_cells_compute_the_same():
    images = random(4, 3, 8, 8)
    results = [logits_and_gradients(network(checkpointed), images) for checkpointed in (0, 1)]
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_a_reloaded_state_dict_evaluates_as_the_one_that_was_saved():
    model, images = network(), random(4, 3, 8, 8)
    model(images)
    torch.manual_seed(1)
    other = search_network(nodes=2, design={"spectral": True}).double()
    other.load_state_dict(model.state_dict())
    assert other.eval()(images).equal(model.eval()(images))
    assert set(model.state_dict()) == set(search_network(nodes=2).state_dict())


def test_parameters_of_a_functional_call_are_normalised():
    model, images = network(), random(4, 3, 8, 8)
    moved = {name: random(*value.shape) for name, value in model.weight_parameters().items()}
    found = functional_call(model, moved, (images,))
    model.load_state_dict(moved, strict=False)
    torch.testing.assert_close(found, model(images))


def test_a_copy_in_double_precision_is_as_near_as_rounding():
    torch.manual_seed(0)
    model = search_network(nodes=2, design={"spectral": True})
    images = random(8, 3, 16, 16)
    exact = copy.deepcopy(model).double()(images)
    torch.testing.assert_close(model(images.float()).double(), exact, rtol=1e-3, atol=1e-4)


def test_normalised_weights_can_be_recorded():
    """And their tensors are made on the device of the weights: others would be on `meta`."""
    unit = Unit(2, 4, 5, 2, 2, spectral=True)
    with torch.device("meta"), Recording() as graph:
        weights = unit.weights((8, 8))
        gradients = torch.autograd.grad(sum(w.sum() for w in weights), list(unit.parameters()))
    assert graph.calls
    assert all(gradient.isfinite().all() for gradient in gradients)
