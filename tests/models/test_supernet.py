"""The supernet: parameter counts of the authors' code, structure, architecture parameters."""

import pytest
import torch
from networks import search_network as supernet
from torch import nn

from ltnas.axes.relaxations import Sigmoid, Softmax
from ltnas.config import OPERATIONS

LEARNING = list(OPERATIONS[1:])
"""Operations of FairDARTS: all except `none`."""


def small(relaxation=None):
    """Return a small supernet in float64 with large architecture parameters."""
    torch.manual_seed(2)
    return supernet(nodes=2, classes=3, relaxation=relaxation, deviation=1.0).double()


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
        model = supernet(operations, 4, channels, cells, classes)
    weights = sum(parameter.numel() for parameter in model.weight_parameters().values())
    assert weights == parameters
    everything = sum(parameter.numel() for parameter in model.parameters())
    assert everything == parameters + 2 * 14 * len(operations)


def test_only_the_normalisation_of_the_stem_has_parameters():
    model = supernet()
    learning = {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.affine
    }
    assert learning == {"supernet.stem.1"}


# --- the network --------------------------------------------------------------------------------


@pytest.mark.parametrize(("cells", "at"), [(1, {0}), (2, {0, 1}), (3, {1, 2}), (6, {2, 4})])
def test_reductions_halve_the_size_and_double_the_width(cells, at):
    model = supernet(["none", "skip_connect"], nodes=2, cells=cells)
    shapes = []
    for cell in model.supernet.cells:
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
    for cell in model.supernet.cells:
        cell.register_forward_hook(lambda module, inputs, output: used.append(inputs[2].values))
    model(images())
    weights = model.mixing_weights()
    for tensor, kind in zip(used, ("normal", "reduce", "reduce"), strict=True):
        assert torch.equal(tensor, weights[kind])
    assert not torch.equal(weights["normal"], weights["reduce"])


def test_mixing_weights_are_relaxed_parameters():
    for relaxation, relax in ((Softmax(), lambda x: x.softmax(-1)), (Sigmoid(), torch.sigmoid)):
        model = small(relaxation)
        for kind, weights in model.mixing_weights().items():
            assert weights.shape == (5, 8)
            assert torch.equal(weights, relax(model.architecture[kind]))


def test_logits_are_a_linear_map_of_pooled_features():
    model = small().eval()
    x = images()
    state = []
    model.supernet.cells[-1].register_forward_hook(
        lambda module, inputs, output: state.append(output)
    )
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
    model.supernet.cells[0].register_forward_pre_hook(
        lambda module, arguments: inputs.append(arguments)
    )
    x = images()
    model(x)
    stem = model.supernet.stem(x)
    assert torch.equal(inputs[0][0], stem)
    assert torch.equal(inputs[0][1], stem)


# --- masks and noise ----------------------------------------------------------------------------

SKIP_OR_CONVOLUTION = ("max_pool_3x3", "skip_connect", "sep_conv_3x3")
WITHOUT_POOL = dict.fromkeys(("normal", "reduce"), ((False, True, True),) * 5)


def with_masks(masks, operations=SKIP_OR_CONVOLUTION, relaxation=None):
    torch.manual_seed(2)
    options = {"nodes": 2, "classes": 3, "relaxation": relaxation, "deviation": 1.0}
    return supernet(operations, masks=masks, **options).double()


@pytest.mark.parametrize("relaxation", [Softmax(), Sigmoid()])
def test_a_masked_operation_is_as_if_the_space_had_none(relaxation):
    larger = with_masks(WITHOUT_POOL, relaxation=relaxation)
    smaller = with_masks(None, SKIP_OR_CONVOLUTION[1:], relaxation)
    tensors = larger.state_dict()
    for kind in ("normal", "reduce"):
        tensors[f"architecture.{kind}"] = tensors[f"architecture.{kind}"][:, 1:]
    smaller.load_state_dict(tensors)  # strict: the masked operation has no tensors
    x = images()
    logits = [model(x) for model in (larger, smaller)]
    assert torch.equal(*logits)
    found, expected = (
        torch.autograd.grad(y.square().sum(), list(model.parameters()))
        for y, model in zip(logits, (larger, smaller), strict=True)
    )
    for (name, _), ours, theirs in zip(larger.named_parameters(), found, expected, strict=True):
        if name.startswith("architecture."):
            assert not ours[:, 0].any()
            ours = ours[:, 1:]
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("relaxation", [Softmax(), Sigmoid()])
def test_masks_that_leave_nothing_out_change_no_bit(relaxation):
    full = with_masks(
        dict.fromkeys(("normal", "reduce"), ((True,) * 3,) * 5), relaxation=relaxation
    )
    plain = with_masks(None, relaxation=relaxation)
    x = images()
    assert full.state_dict().keys() == plain.state_dict().keys()
    assert torch.equal(full(x), plain(x))


def test_masked_operations_have_no_parameters():
    convolutions = ["sep_conv_3x3", "dil_conv_5x5"]
    counts = []
    for mask in (None, ((True, False), *((True, True),) * 4), ((True, False),) * 5):
        masks = mask and {"normal": mask, "reduce": ((True, True),) * 5}
        model = supernet(convolutions, nodes=2, channels=4, cells=3, masks=masks)
        counts.append(sum(p.numel() for p in model.weight_parameters().values()))
    # One normal cell of 4 channels: 25 weights a channel, and a pointwise convolution.
    one = 4 * 25 + 4 * 4
    assert counts[0] - counts[1] == one
    assert counts[0] - counts[2] == 5 * one


def test_expected_weights_are_masked():
    weights = with_masks(WITHOUT_POOL).expected_weights()
    assert not weights["normal"][:, 0].any()
    torch.testing.assert_close(weights["normal"].sum(1), torch.ones(5).double())


def test_a_cell_with_noise_is_not_given_to_the_kernels():
    quiet = supernet(["skip_connect", "sep_conv_3x3"], nodes=1, cells=1)
    noisy = supernet(["noise", "sep_conv_3x3"], nodes=1, cells=1)
    state = torch.randn(2, 8, 8, 8).to(memory_format=torch.channels_last)
    assert quiet.supernet.cells[0].executors[0].can_run(state)
    assert not noisy.supernet.cells[0].executors[0].can_run(state)


def test_a_supernet_draws_noise_in_each_pass():
    torch.manual_seed(0)
    model = supernet(["noise", "sep_conv_3x3"], nodes=2, classes=3, deviation=1.0).eval()
    x = torch.randn(2, 3, 8, 8)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(model(x))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    gradient = torch.autograd.grad(results[0].sum(), list(model.architecture.values()))
    assert all(g.abs().sum() > 0 for g in gradient)


# --- architecture parameters --------------------------------------------------------------------


def test_architecture_parameters_are_registered_and_no_weights():
    model = supernet(LEARNING, nodes=3)
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
        torch.cat(
            list(supernet(LEARNING, nodes=n, channels=2, cells=1).architecture.values())
        ).detach()
        for n in (8, 9)
    ]
    values = 1e3 * torch.cat(drawn).flatten()  # 1358 of them
    assert abs(values.mean()) < 0.1
    assert abs(values.std() - 1) < 0.1
    torch.manual_seed(0)
    again = supernet(LEARNING, nodes=8, channels=2, cells=1).architecture["normal"]
    assert torch.equal(again, drawn[0][: len(again)])


def test_architecture_parameters_may_all_start_at_zero():
    model = supernet(channels=2, cells=1, relaxation=Sigmoid(), deviation=0.0)
    assert not any(tensor.any() for tensor in model.architecture_parameters().values())
    assert all(torch.equal(w, torch.full((14, 8), 0.5)) for w in model.mixing_weights().values())
