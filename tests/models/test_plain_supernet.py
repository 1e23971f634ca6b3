"""The plain supernet that tests compare with: its sums, and gradients by finite differences."""

import pytest
import torch
from plain_supernet import MixedOperation, Supernet, SupernetCell
from torch import nn
from torch.nn import functional

from ltnas.axes.relaxations import Sigmoid, Softmax
from ltnas.config import OPERATIONS
from ltnas.space.layout import CellPlan


@pytest.mark.parametrize(
    ("channels", "stride", "parameters"),
    [
        *((16, 1, 3168), (16, 2, 3424), (32, 1, 9408), (32, 2, 10_432)),
        *((64, 1, 31_104), (64, 2, 35_200)),
    ],
)
def test_parameters_of_an_edge_are_those_of_the_authors_code(channels, stride, parameters):
    mixed = MixedOperation(list(OPERATIONS), channels, stride)
    assert sum(parameter.numel() for parameter in mixed.parameters()) == parameters


# --- an edge ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
def test_an_edge_is_the_weighted_sum_of_its_operations(stride):
    torch.manual_seed(1)
    mixed = MixedOperation(list(OPERATIONS), 4, stride).double()
    x, weights = torch.randn(3, 4, 6, 6).double(), torch.rand(8).double()
    expected = torch.zeros_like(x[:, :, ::stride, ::stride])
    for index in range(8):
        expected += weights[index] * mixed.operations[index](x)
    torch.testing.assert_close(mixed(x, weights), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["max_pool_3x3", "avg_pool_3x3"])
def test_pools_of_an_edge_are_normalised(name):
    x = torch.randn(4, 6, 8, 8, generator=torch.Generator().manual_seed(1))
    y = MixedOperation([name], 6, 1)(x, torch.ones(1))
    pool = functional.max_pool2d if "max" in name else functional.avg_pool2d
    options = {} if "max" in name else {"count_include_pad": False}
    expected = functional.batch_norm(pool(x, 3, 1, 1, **options), None, None, training=True)
    torch.testing.assert_close(y, expected)


def test_an_edge_needs_a_weight_for_every_operation():
    with pytest.raises(ValueError):
        MixedOperation(["none", "skip_connect"], 4, 1)(torch.zeros(1, 4, 2, 2), torch.ones(3))


def test_no_edge_changes_its_input():
    mixed = MixedOperation(list(OPERATIONS), 4, 1)
    x = torch.randn(2, 4, 6, 6)
    before = x.clone()
    mixed(x, torch.rand(8))
    assert torch.equal(x, before)


# --- a cell -------------------------------------------------------------------------------------


class Scale(nn.Module):
    """An edge that multiplies by its mixing weight and a constant."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, x, weights):
        return self.number * weights[0] * x


def test_edges_of_a_cell_are_in_the_order_of_the_rows():
    cell = (
        SupernetCell(CellPlan(4, 5, 6, False, False, kind="normal"), ["skip_connect"], 3)
        .double()
        .eval()
    )
    cell.mixed = nn.ModuleList(Scale(number) for number in range(1, 10))
    before, previous = torch.randn(2, 5, 4, 4).double(), torch.randn(2, 6, 4, 4).double()
    w = torch.rand(9, 1, dtype=torch.float64)
    s0, s1 = cell.preprocess0(before), cell.preprocess1(previous)
    s2 = 1 * w[0] * s0 + 2 * w[1] * s1
    s3 = 3 * w[2] * s0 + 4 * w[3] * s1 + 5 * w[4] * s2
    s4 = 6 * w[5] * s0 + 7 * w[6] * s1 + 8 * w[7] * s2 + 9 * w[8] * s3
    expected = torch.cat([s2, s3, s4], 1)
    torch.testing.assert_close(cell(before, previous, w), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("reduction", [False, True])
def test_a_cell_halves_what_comes_from_its_inputs(reduction, follows):
    cell = SupernetCell(CellPlan(4, 8, 6, reduction, follows, kind="normal"), list(OPERATIONS), 3)
    before = torch.randn(2, 8, 16, 16) if follows else torch.randn(2, 8, 8, 8)
    sizes = []
    for mixed in cell.mixed:
        mixed.register_forward_hook(
            lambda module, inputs, output: sizes.append((inputs[0].shape[-1], output.shape[-1]))
        )
    side = 4 if reduction else 8
    y = cell(before, torch.randn(2, 6, 8, 8), torch.rand(9, 8))
    assert y.shape == (2, 3 * 4, side, side)
    assert sizes == [(8 if source < 2 else side, side) for source in (0, 1, 0, 1, 2, 0, 1, 2, 3)]


# --- gradients ----------------------------------------------------------------------------------


def small(relax):
    """Return a small supernet in float64 with large architecture parameters."""
    torch.manual_seed(2)
    return Supernet(list(OPERATIONS), 2, 4, 3, 3, relax, 1.0).double()


def smooth(model):
    """Replace ReLU and maxima by smooth functions, as finite differences need them."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.Softplus())
            elif isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(3, child.stride, 1))
    return model


@pytest.mark.parametrize("relax", [Softmax(), Sigmoid()])
def test_gradients_of_architecture_parameters_are_those_of_finite_differences(relax):
    model, x, labels = (
        smooth(small(relax)),
        torch.randn(4, 3, 8, 8).double(),
        torch.tensor([0, 1, 2, 1]),
    )

    def loss():
        return functional.cross_entropy(model(x), labels)

    parameters = model.architecture_parameters()
    gradients = dict(zip(parameters, torch.autograd.grad(loss(), parameters.values()), strict=True))
    step = 1e-5
    for kind, parameter in parameters.items():
        directions = [torch.randn_like(parameter) for _ in range(4)]
        for operation in range(8):  # each operation of one edge, `none` among them
            directions.append(torch.zeros_like(parameter))
            directions[-1][operation % 5, operation] = 1
        for direction in directions:
            with torch.no_grad():
                parameter += step * direction
                above = loss()
                parameter -= 2 * step * direction
                below = loss()
                parameter += step * direction
            expected = (above - below) / (2 * step)
            actual = (gradients[kind] * direction).sum()
            torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-9)
        assert gradients[kind].abs().max() > 1e-3
