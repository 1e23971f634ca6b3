"""Checkpoints of the original DARTS code, compared with networks that have that code's names.

The networks compute some parts in another way: a strided factorised reduction, Python sums from 0,
and a view where ours takes a mean.
"""

import json
from collections import namedtuple
from types import SimpleNamespace

import pytest
import torch
from official_layers import FinalCell, conv_bn, stacked
from official_supernets import SearchNetwork, scattered
from torch import nn
from torch.nn import functional

from ltnas.errors import UserError
from ltnas.interop import load_official_network, load_official_supernet
from ltnas.space.genotype import load_genotype

Pairs = namedtuple("Pairs", "normal normal_concat reduce reduce_concat")

DARTS_V1 = Pairs(
    normal=[
        *(("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 0), ("sep_conv_3x3", 1)),
        *(("skip_connect", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("skip_connect", 2)),
    ],
    normal_concat=[2, 3, 4, 5],
    reduce=[
        *(("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 0)),
        *(("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("avg_pool_3x3", 0)),
    ],
    reduce_concat=[2, 3, 4, 5],
)
DARTS_V2 = Pairs(
    normal=[
        *(("sep_conv_3x3", 0), ("sep_conv_3x3", 1), ("sep_conv_3x3", 0), ("sep_conv_3x3", 1)),
        *(("sep_conv_3x3", 1), ("skip_connect", 0), ("skip_connect", 0), ("dil_conv_3x3", 2)),
    ],
    normal_concat=[2, 3, 4, 5],
    reduce=[
        *(("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2), ("max_pool_3x3", 1)),
        *(("max_pool_3x3", 0), ("skip_connect", 2), ("skip_connect", 2), ("max_pool_3x3", 1)),
    ],
    reduce_concat=[2, 3, 4, 5],
)
ODD = Pairs(  # every operation, three nodes, late sources first, a concat out of order
    normal=[
        *(("skip_connect", 1), ("dil_conv_5x5", 0), ("sep_conv_5x5", 2), ("none", 0)),
        *(("avg_pool_3x3", 3), ("max_pool_3x3", 1)),
    ],
    normal_concat=range(2, 5),
    reduce=[
        *(("skip_connect", 1), ("dil_conv_3x3", 0), ("dil_conv_5x5", 1), ("sep_conv_5x5", 2)),
        *(("avg_pool_3x3", 1), ("sep_conv_3x3", 0)),
    ],
    reduce_concat=[4, 2, 3],
)


# --- the original networks ----------------------------------------------------------------------


class AuxiliaryHead(nn.Module):
    def __init__(self, inputs, classes, imagenet):
        super().__init__()
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, 2 if imagenet else 3, 0, count_include_pad=False),
            nn.Conv2d(inputs, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            *([] if imagenet else [nn.BatchNorm2d(768)]),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x):
        return self.classifier(self.features(x).view(len(x), -1))


class FinalNetwork(nn.Module):
    def __init__(self, pairs, c, layers, classes, auxiliary, imagenet=False):
        super().__init__()
        self.imagenet = imagenet
        if imagenet:
            self.stem0 = nn.Sequential(*conv_bn(3, c // 2, 2), nn.ReLU(), *conv_bn(c // 2, c, 2))
            self.stem1 = nn.Sequential(nn.ReLU(), *conv_bn(c, c, 2))
        else:
            self.stem = nn.Sequential(*conv_bn(3, 3 * c, 1))

        def build(c_pp, c_p, c, reduction, after_reduction):
            cell = (pairs.reduce, pairs.reduce_concat) if reduction else pairs[:2]
            return FinalCell(c_pp, c_p, c, reduction, after_reduction, *cell)

        width = c if imagenet else 3 * c
        self.cells = stacked(layers, c, width, width, imagenet, build)
        self.branch = 2 * layers // 3 if auxiliary else None
        if auxiliary:
            self.auxiliary_head = AuxiliaryHead(self.cells[self.branch].width, classes, imagenet)
        self.classifier = nn.Linear(self.cells[-1].width, classes)

    def forward(self, x):
        if self.imagenet:
            s0 = self.stem0(x)
            s1 = self.stem1(s0)
        else:
            s0 = s1 = self.stem(x)
        auxiliary = None
        for index, cell in enumerate(self.cells):
            s0, s1 = s1, cell(s0, s1)
            if index == self.branch and self.training:
                auxiliary = self.auxiliary_head(s1)
        return self.classifier(functional.adaptive_avg_pool2d(s1, 1).flatten(1)), auxiliary


# --- help ---------------------------------------------------------------------------------------


def images(side, batch=3):
    return torch.randn(batch, 3, side, side, dtype=torch.float64)


def assert_same(ours, theirs):
    scale = float(theirs.detach().abs().max())
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12 * scale)


def assert_same_state(ours, theirs):
    """Assert that two state dicts of this package are equal."""
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert_same(ours[name], theirs[name])


def gradients(network):
    """Return a state dict that holds the gradient of every parameter in its place."""
    state = network.state_dict()
    return state | {name: parameter.grad for name, parameter in network.named_parameters()}


def copied(state):
    return {name: tensor.clone() for name, tensor in state.items()}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


# --- the search network -------------------------------------------------------------------------

SEARCHES = [(4, 1, 3), (6, 3, 7), (4, 4, 5)]


@pytest.mark.parametrize(("c", "layers", "classes"), SEARCHES)
def test_a_search_network_trains_and_evaluates_the_same(c, layers, classes):
    theirs = scattered(SearchNetwork(c, layers, classes))
    ours = load_official_supernet(copied(theirs.state_dict()), *theirs.alphas, c, layers, classes)
    x, labels = images(8), torch.arange(3) % classes
    assert ours.training
    outputs = ours(x), theirs(x)
    assert_same(*outputs)
    for output in outputs:
        functional.cross_entropy(output, labels).backward()
    # The gradients in the place of the weights, and the buffers as the forward left them.
    normal, reduce = (alphas.grad for alphas in theirs.alphas)
    if layers < 3:  # no normal cell: the graph has none of its parameters
        normal = torch.zeros(14, 8, dtype=torch.float64)
        ours.architecture["normal"].grad = normal.clone()
    expected = load_official_supernet(gradients(theirs), normal, reduce, c, layers, classes)
    assert_same_state(gradients(ours), expected.state_dict())
    assert reduce.abs().max() > 1e-6
    assert_same(ours.eval()(x), theirs.eval()(x))


def test_pooling_statistics_of_a_state_must_agree():
    theirs = scattered(SearchNetwork(4, 1, 3))
    state = copied(theirs.state_dict())
    state["cells.0._ops.2._ops.1.1.running_var"] *= 2
    with pytest.raises(
        UserError, match=r"_ops\.2\._ops\.1\.1\.running_var differs from .*_ops\.0\."
    ):
        load_official_supernet(state, *theirs.alphas, 4, 1, 3)


# --- the discrete network -----------------------------------------------------------------------

FINALS = [
    (DARTS_V1, 4, 3, 10, True),
    (DARTS_V2, 4, 3, 10, True),
    (DARTS_V1, 6, 5, 3, False),
    (DARTS_V2, 4, 6, 7, True),
    (DARTS_V2, 4, 1, 2, False),
    (ODD, 4, 4, 5, True),
]


def networks(pairs, c, layers, classes, auxiliary, imagenet=False):
    theirs = scattered(FinalNetwork(pairs, c, layers, classes, auxiliary, imagenet))
    state = copied(theirs.state_dict())
    return theirs, load_official_network(state, pairs, c, layers, classes, auxiliary)


def assert_equal_networks(theirs, ours, x, pairs, c, layers, classes, auxiliary):
    assert ours.training
    labels = torch.arange(len(x)) % classes
    outputs = ours.predictions(x), tuple(output for output in theirs(x) if output is not None)
    assert len(outputs[0]) == len(outputs[1]) == 1 + auxiliary
    for pair in zip(*outputs, strict=True):
        assert_same(*pair)
    for logits in outputs:
        losses = [functional.cross_entropy(output, labels) for output in logits]
        (losses[0] + 0.4 * sum(losses[1:])).backward()
    expected = load_official_network(gradients(theirs), pairs, c, layers, classes, auxiliary)
    assert_same_state(gradients(ours), expected.state_dict())
    assert_same(ours.eval()(x), theirs.eval()(x)[0])


@pytest.mark.parametrize(("pairs", "c", "layers", "classes", "auxiliary"), FINALS)
def test_a_discrete_network_trains_and_evaluates_the_same(pairs, c, layers, classes, auxiliary):
    settings = pairs, c, layers, classes, auxiliary
    assert_equal_networks(*networks(*settings), images(32 if auxiliary else 8), *settings)


def test_an_imagenet_network_is_recognised_by_its_stems():
    settings = DARTS_V2, 4, 3, 6, True
    assert_equal_networks(*networks(*settings, imagenet=True), images(224, batch=2), *settings)


# --- forms of a checkpoint ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def final():
    """A discrete network with no auxiliary classifier, images and their logits."""
    torch.manual_seed(5)
    theirs = scattered(FinalNetwork(DARTS_V2, 4, 3, 10, False)).eval()
    x = images(8)
    return theirs.state_dict(), x, theirs(x)[0].detach()


def logits(state, x, genotype=DARTS_V2):
    return load_official_network(state, genotype, 4, 3, 10, False).eval()(x)


def test_old_checkpoints_lack_a_counter(final):
    state, x, expected = final
    old = {name: tensor for name, tensor in state.items() if "num_batches" not in name}
    assert len(old) < len(state)
    assert_same(logits(old, x), expected)
    ours = load_official_network(old, DARTS_V2, 4, 3, 10, False).state_dict()
    assert {int(t) for name, t in ours.items() if "num_batches" in name} == {0}


def test_old_search_checkpoints_lack_a_counter():
    theirs = scattered(SearchNetwork(4, 1, 10)).eval()
    old = {name: t for name, t in theirs.state_dict().items() if "num_batches" not in name}
    x = images(8)
    assert_same(load_official_supernet(old, *theirs.alphas, 4, 1, 10).eval()(x), theirs(x))


def test_data_parallel_puts_a_prefix_before_names(final):
    state, x, expected = final
    assert_same(logits({f"module.{name}": t for name, t in state.items()}, x), expected)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
def test_checkpoints_hold_more_than_a_state_dict(final, key):
    state, x, expected = final
    counted = {**state, "total_ops": torch.zeros(1), "cells.0.total_params": torch.zeros(1)}
    wrapped = {"epoch": 600, key: {f"module.{name}": t for name, t in counted.items()}}
    with pytest.warns(UserWarning, match="epoch, total_ops, total_params$"):
        assert_same(logits(wrapped, x), expected)


def test_search_checkpoints_hold_more_than_a_state_dict():
    theirs = scattered(SearchNetwork(4, 1, 10)).eval()
    x = images(8)
    wrapped = {"state_dict": theirs.state_dict(), "optimizer": {}}
    with pytest.warns(UserWarning, match="left out of the checkpoint: optimizer"):
        ours = load_official_supernet(wrapped, *theirs.alphas, 4, 1, 10).eval()
    assert_same(ours(x), theirs(x))


def test_an_imagenet_checkpoint_may_have_the_prefix():
    theirs = scattered(FinalNetwork(DARTS_V1, 4, 3, 4, False, imagenet=True)).eval()
    state = {f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}
    x = images(32)
    assert_same(load_official_network(state, DARTS_V1, 4, 3, 4, False).eval()(x), theirs(x)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_dtype_is_that_of_the_checkpoint(final, dtype):
    state = {name: t.to(dtype) if t.is_floating_point() else t for name, t in final[0].items()}
    ours = load_official_network(state, DARTS_V2, 4, 3, 10, False)
    dtypes = {name: tensor.dtype for name, tensor in ours.state_dict().items()}
    assert {d for name, d in dtypes.items() if "num_batches" not in name} == {dtype}
    assert {d for name, d in dtypes.items() if "num_batches" in name} == {torch.int64}


def test_architecture_parameters_take_the_dtype_of_the_weights():
    theirs = SearchNetwork(4, 1, 10)  # weights in float32, parameters in float64
    ours = load_official_supernet(theirs.state_dict(), *theirs.alphas, 4, 1, 10)
    assert {parameter.dtype for parameter in ours.parameters()} == {torch.float32}


def test_the_checkpoint_is_left_alone():
    theirs = SearchNetwork(4, 1, 10)
    state = {f"module.{name}": t for name, t in theirs.state_dict().items() if "num_b" not in name}
    alphas = [tensor.detach().float() for tensor in theirs.alphas]
    before = copied(state), [tensor.clone() for tensor in alphas]
    ours = load_official_supernet(state, *alphas, 4, 1, 10)
    with torch.no_grad():
        for tensor in (*ours.parameters(), *ours.buffers()):
            tensor.zero_()
    assert state.keys() == before[0].keys()
    assert all(torch.equal(state[name], before[0][name]) for name in state)
    assert all(torch.equal(a, b) for a, b in zip(alphas, before[1], strict=True))


def test_what_is_loaded_can_be_trained_and_draws_no_random_number(final):
    before = torch.get_rng_state()
    ours = load_official_network(final[0], DARTS_V2, 4, 3, 10, False)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.requires_grad for parameter in ours.parameters())
    assert {parameter.device.type for parameter in ours.parameters()} == {"cpu"}


# --- forms of a genotype ------------------------------------------------------------------------


def out_of_order(genotype):
    """Return the cells as JSON, last node first; the edges into a node keep their order."""
    data = genotype.to_json()
    for cell in data.values():
        cell["edges"].sort(key=lambda edge: -edge[1])
    return data


@pytest.mark.parametrize(
    "form",
    [
        DARTS_V2,
        DARTS_V2._asdict(),
        tuple(DARTS_V2),
        SimpleNamespace(**DARTS_V2._asdict()),
        DARTS_V2._replace(normal_concat=range(2, 6), reduce_concat=(2, 3, 4, 5)),
        "darts_v2",
        "DARTS_V2",
        load_genotype("darts_v2")[0],
    ],
    ids=["namedtuple", "dict", "tuple", "object", "range", "name", "original name", "Genotype"],
)
def test_a_genotype_comes_in_many_forms(final, form):
    state, x, expected = final
    assert_same(logits(state, x, form), expected)


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_genotype_may_be_a_file(final, tmp_path, kind):
    state, x, expected = final
    path = tmp_path / "genotype.json"
    path.write_text(json.dumps(out_of_order(load_genotype("darts_v2")[0])))
    assert_same(logits(state, x, kind(path)), expected)


@pytest.mark.parametrize(
    ("genotype", "named"),
    [
        (None, "no normal"),
        ({}, "no normal"),
        (tuple(DARTS_V2)[:3], "no reduce_concat"),
        ({**DARTS_V2._asdict(), "reduce": "max_pool_3x3"}, "no reduce"),
        (DARTS_V2._replace(normal=[("sep_conv_3x3", 2, 0, 1)]), "('sep_conv_3x3', 2, 0, 1)"),
        (DARTS_V2._replace(normal=["sep_conv_3x3"]), "'sep_conv_3x3'"),
        (DARTS_V2._replace(normal=[("conv_7x1_1x7", 0)]), "conv_7x1_1x7"),
        (DARTS_V2._replace(normal=[("sep_conv_3x3", 2)]), "['sep_conv_3x3', 2, 2]"),
        (DARTS_V2._replace(normal_concat=range(2, 7)), "node 6"),
        ("no_such_genotype", "no_such_genotype"),
    ],
)
def test_an_invalid_genotype_is_refused(final, genotype, named):
    with pytest.raises(UserError) as caught:
        load_official_network(final[0], genotype, 4, 3, 10, False)
    message = str(caught.value)
    assert "\n" not in message
    assert "genotype" in message
    assert named in message


# --- checkpoints that do not fit ----------------------------------------------------------------


@pytest.fixture(scope="module")
def search():
    """State dict and architecture parameters of a search network with 4 channels and 3 cells."""
    theirs = SearchNetwork(4, 3, 10)
    return theirs.state_dict(), *theirs.alphas


def supernet_error(*arguments):
    with pytest.raises(UserError) as caught:
        load_official_supernet(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def network_error(*arguments):
    with pytest.raises(UserError) as caught:
        load_official_network(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_more_cells_than_the_checkpoint_has(search):
    message = supernet_error(*search, 4, 4, 10)
    assert message == (
        "the checkpoint has no cells.3.preprocess0.conv_1.weight: channels=4, cells=4 and "
        "num_classes=10 must be those that it was created with"
    )


def test_fewer_cells_than_the_checkpoint_has(search):
    # Two cells are both reductions, so that the first difference is in cell 0.
    message = supernet_error(*search, 4, 2, 10)
    assert "has no cells.0._ops.0._ops.3.conv_1.weight: channels=4, cells=2" in message


def test_a_tensor_too_many(search):
    state, *alphas = search
    message = supernet_error({**state, "alphas_normal": alphas[0]}, *alphas, 4, 3, 10)
    assert "has alphas_normal, which the network does not have" in message


def test_a_tensor_too_few(search):
    state, *alphas = search
    for name in ("cells.2._ops.9._ops.1.1.running_var", "cells.1._ops.2._ops.4.op.7.running_mean"):
        fewer = {key: tensor for key, tensor in state.items() if key != name}
        assert f"has no {name}:" in supernet_error(fewer, *alphas, 4, 3, 10)


def test_other_channels(search):
    message = supernet_error(*search, 6, 3, 10)
    assert message == (
        "stem.0.weight has the shape (12, 3, 3, 3) in the checkpoint and (18, 3, 3, 3) in the "
        "network: channels=6, cells=3 and num_classes=10 must be those that it was created with"
    )


def test_other_classes(search):
    message = supernet_error(*search, 4, 3, 100)
    assert message.startswith("classifier.weight has the shape (10, 64) in the checkpoint and (100")
    assert "num_classes=100" in message


@pytest.mark.parametrize("kind", ["normal", "reduce"])
@pytest.mark.parametrize("shape", [(14, 7), (8, 14), (112,)])
def test_other_architecture_parameters(search, kind, shape):
    alphas = {"normal": search[1], "reduce": search[2], kind: torch.zeros(shape)}
    message = supernet_error(search[0], alphas["normal"], alphas["reduce"], 4, 3, 10)
    assert message == (
        f"alphas_{kind} has the shape {shape}: give the (14, 8) tensor of a DARTS search"
    )


@pytest.mark.parametrize("key", ["channels", "cells", "num_classes"])
def test_counts_must_be_positive(search, final, key):
    counts = {"channels": 4, "cells": 3, "num_classes": 10, key: 0}.values()
    assert supernet_error(*search, *counts) == f"{key}=0 must be 1 or more"
    assert network_error(final[0], DARTS_V2, *counts, False) == f"{key}=0 must be 1 or more"


def test_an_auxiliary_classifier_is_missing(final):
    message = network_error(final[0], DARTS_V2, 4, 3, 10, True)
    assert message == (
        "auxiliary=True, but the checkpoint has no auxiliary_head: give auxiliary=False"
    )


def test_an_auxiliary_classifier_is_left_over():
    state = FinalNetwork(DARTS_V2, 4, 3, 10, True).state_dict()
    message = network_error(state, DARTS_V2, 4, 3, 10, False)
    assert message == (
        "auxiliary=False, but the checkpoint has an auxiliary_head: give auxiliary=True"
    )


def test_another_genotype(final):
    message = network_error(final[0], DARTS_V1, 4, 3, 10, False)
    assert "has no cells.0._ops.5.op.1.weight" in message  # a convolution where V2 has a skip
    assert "auxiliary=False and the genotype must be those" in message


def test_a_search_checkpoint_is_not_a_discrete_one(search, final):
    assert "has no cells.0." in network_error(search[0], DARTS_V2, 4, 3, 10, False)
    assert "has no cells.0." in supernet_error(final[0], *search[1:], 4, 3, 10)
