"""The supernet: counts of the authors' code, its sums written out, and gradients by differences."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ltnas.config import OPERATIONS
from ltnas.relaxations import sigmoid, softmax
from ltnas.space.layout import CellPlan
from ltnas.space.supernet import MixedOperation, Supernet, SupernetCell

LEARNING = list(OPERATIONS[1:])
"""The operations of FairDARTS: all but `none`."""


def supernet(channels, cells, classes=10, operations=OPERATIONS, nodes=4, relax=softmax, **options):
    deviation = options.get("deviation", 1e-3)
    return Supernet(list(operations), nodes, channels, cells, classes, relax, deviation)


def small(relax=softmax, **options):
    """Both kinds of cell, two nodes, float64, architecture parameters of every size."""
    torch.manual_seed(2)
    return supernet(4, 3, 3, nodes=2, relax=relax, deviation=1.0, **options).double()


def images(side=8, batch=2):
    return torch.randn(batch, 3, side, side, dtype=torch.float64)


# --- counts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "cells", "classes", "operations", "parameters"),
    [
        (16, 8, 10, OPERATIONS, 1_930_618),  # printed in the log of quark0/darts#12
        (16, 8, 10, LEARNING, 1_930_618),
        (16, 8, 100, OPERATIONS, 1_953_748),
        (16, 5, 10, OPERATIONS, 1_275_834),  # printed in the log of chenxin061/pdarts#10
        (16, 11, 10, OPERATIONS, 2_585_146),
        (16, 17, 10, OPERATIONS, 3_894_202),
        (16, 20, 10, OPERATIONS, 4_548_730),
        (36, 20, 10, LEARNING, 19_932_310),
    ],
)
def test_parameters_are_those_of_the_authors_code(channels, cells, classes, operations, parameters):
    with torch.device("meta"):
        model = supernet(channels, cells, classes, operations)
    weights = sum(parameter.numel() for parameter in model.weight_parameters().values())
    assert weights == parameters
    everything = sum(parameter.numel() for parameter in model.parameters())
    assert everything == parameters + 2 * 14 * len(operations)


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


def test_normalisations_learn_nothing_but_in_the_stem():
    model = supernet(4, 3)
    learning = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.affine
    }
    assert learning == {"stem.1"}


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
    """An edge that multiplies by its weight and a number of its own."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def forward(self, x, weights):
        return self.number * weights[0] * x


def test_edges_of_a_cell_are_in_the_order_of_the_rows():
    cell = SupernetCell(CellPlan(4, 5, 6, False, False), ["skip_connect"], 3).double().eval()
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
    cell = SupernetCell(CellPlan(4, 8, 6, reduction, follows), list(OPERATIONS), 3)
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


# --- the network --------------------------------------------------------------------------------


@pytest.mark.parametrize(("cells", "at"), [(1, {0}), (2, {0, 1}), (3, {1, 2}), (6, {2, 4})])
def test_reductions_halve_the_size_and_double_the_width(cells, at):
    model = supernet(4, cells, operations=["none", "skip_connect"], nodes=2)
    shapes = []
    for cell in model.cells:
        cell.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape[1:]))
    model(torch.randn(2, 3, 16, 16))
    width, side = 4, 16
    for index, shape in enumerate(shapes):
        if index in at:
            width, side = 2 * width, side // 2
        assert shape == (2 * width, side, side)
    assert len(shapes) == cells


def test_each_kind_of_cell_has_weights_of_its_own():
    model = small()
    used = []
    for cell in model.cells:
        cell.register_forward_hook(lambda module, inputs, output: used.append(inputs[2]))
    model(images())
    weights = model.mixing_weights()
    for tensor, kind in zip(used, ("normal", "reduce", "reduce"), strict=True):
        assert torch.equal(tensor, weights[kind])
    assert not torch.equal(weights["normal"], weights["reduce"])


def test_mixing_weights_are_relaxed_parameters():
    for relax in (softmax, sigmoid):
        model = small(relax)
        for kind, weights in model.mixing_weights().items():
            assert weights.shape == (5, 8)
            assert torch.equal(weights, relax(model.architecture[kind]))


def test_logits_are_a_linear_map_of_pooled_features():
    model = small().eval()
    x = images()
    state = []
    model.cells[-1].register_forward_hook(lambda module, inputs, output: state.append(output))
    features = model.features(x)
    assert features.shape == (2, model.feature_size) == (2, 2 * 16)
    torch.testing.assert_close(features, state[0].sum((2, 3)) / 4, rtol=1e-13, atol=0)
    logits = features @ model.classifier.weight.T + model.classifier.bias
    torch.testing.assert_close(model(x), logits, rtol=1e-12, atol=1e-14)
    (alone,) = model.predictions(x)
    assert torch.equal(alone, model(x))


def test_the_stem_feeds_both_inputs_of_the_first_cell():
    model = small().eval()
    inputs = []
    model.cells[0].register_forward_pre_hook(lambda module, arguments: inputs.append(arguments))
    x = images()
    model(x)
    stem = model.stem(x)
    assert torch.equal(inputs[0][0], stem)
    assert torch.equal(inputs[0][1], stem)


# --- architecture parameters --------------------------------------------------------------------


def test_architecture_parameters_are_registered_and_no_weights():
    model = supernet(4, 3, operations=LEARNING, nodes=3)
    architecture = model.architecture_parameters()
    assert {name: tensor.shape for name, tensor in architecture.items()} == {
        "normal": (9, 7),
        "reduce": (9, 7),
    }
    registered = dict(model.named_parameters())
    for name, tensor in architecture.items():
        assert registered.pop(f"architecture.{name}") is tensor
        assert f"architecture.{name}" in model.state_dict()
    weights = model.weight_parameters()
    assert weights.keys() == registered.keys()
    assert all(weights[name] is registered[name] for name in weights)


def test_architecture_parameters_start_from_a_normal_distribution():
    torch.manual_seed(0)
    drawn = [
        torch.cat(list(supernet(2, 1, operations=LEARNING, nodes=n).architecture.values())).detach()
        for n in (8, 9)
    ]
    values = 1e3 * torch.cat(drawn).flatten()  # 1358 of them
    assert abs(values.mean()) < 0.1
    assert abs(values.std() - 1) < 0.1
    torch.manual_seed(0)
    again = supernet(2, 1, operations=LEARNING, nodes=8).architecture["normal"]
    assert torch.equal(again, drawn[0][: len(again)])


def test_architecture_parameters_may_all_start_at_zero():
    model = supernet(2, 1, relax=sigmoid, deviation=0.0)
    assert not any(tensor.any() for tensor in model.architecture_parameters().values())
    assert all(torch.equal(w, torch.full((14, 8), 0.5)) for w in model.mixing_weights().values())


def smooth(model):
    """Without the kinks of ReLU and of maxima, which differences step over."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.Softplus())
            elif isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(3, child.stride, 1))
    return model


@pytest.mark.parametrize("relax", [softmax, sigmoid])
def test_gradients_of_architecture_parameters_are_those_of_finite_differences(relax):
    model, x, labels = smooth(small(relax)), images(batch=4), torch.tensor([0, 1, 2, 1])

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
