"""The discrete network: inputs of nodes, drop path, auxiliary classifier, image sizes."""

import pytest
import torch
from torch import nn

from ltnas.config import OPERATIONS
from ltnas.errors import UserError
from ltnas.models.cell import Cell
from ltnas.models.cost import parameter_counts
from ltnas.models.network import Network
from ltnas.models.operations import DropPath
from ltnas.space.genotype import (
    CellGenotype,
    Edge,
    Genotype,
    cell_genotype,
    live_edges,
    load_genotype,
    output_nodes,
)
from ltnas.space.layout import CellPlan, check_image_size

DARTS_V2 = load_genotype("darts_v2")[0]
PLAN = CellPlan(4, 6, 5, reduction=False, follows_reduction=False, kind="normal")

# No operation reached node 3, as the thresholds of FairDARTS allow: what leaves it carries nothing,
# so that node 4, fed by 3 alone, is dead as well.
ALIVE = (
    Edge("sep_conv_3x3", 2, 0),
    Edge("skip_connect", 2, 1),
    Edge("dil_conv_3x3", 5, 2),
    Edge("max_pool_3x3", 5, 1),
)
DEAD = (Edge("sep_conv_5x5", 4, 3), Edge("sep_conv_5x5", 5, 3), Edge("dil_conv_5x5", 5, 4))
WITH_DEAD = CellGenotype((*ALIVE[:2], DEAD[0], ALIVE[2], *DEAD[1:], ALIVE[3]), (2, 4, 5))
WITHOUT_DEAD = CellGenotype(ALIVE, (2, 5))


def network(genotype=DARTS_V2, channels=4, cells=3, auxiliary=False, stem="cifar"):
    torch.manual_seed(4)
    return Network(genotype, channels, cells, 7, auxiliary, stem)


def cell(*edges, concat=None, plan=PLAN):
    """A cell in float64 with every scale and shift of its normalisations drawn."""
    torch.manual_seed(6)
    genotype = cell_genotype([Edge(*edge) for edge in edges])
    module = Cell(plan, CellGenotype(genotype.edges, concat or genotype.concat)).double()
    for parameter in module.parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, 0.5, 1.5)
    return module


def states(side=8, batch=2):
    return torch.randn(batch, 6, side, side).double(), torch.randn(batch, 5, side, side).double()


# --- dead nodes ---------------------------------------------------------------------------------


def test_what_leaves_a_node_without_inputs_is_dead():
    assert live_edges(WITH_DEAD) == list(ALIVE)
    assert output_nodes(WITH_DEAD) == [2, 5]


def test_edges_may_come_in_any_order():
    edges = tuple(reversed(WITH_DEAD.edges))
    assert live_edges(CellGenotype(edges, (5, 4, 2))) == list(reversed(ALIVE))
    assert output_nodes(CellGenotype(edges, (5, 4, 2))) == [5, 2]


def test_nothing_is_dead_in_a_full_cell():
    assert live_edges(DARTS_V2.cell("normal")) == list(DARTS_V2.cell("normal").edges)
    assert output_nodes(DARTS_V2.cell("normal")) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    "dead",
    [
        CellGenotype((Edge("skip_connect", 3, 2),), (3,)),
        CellGenotype((Edge("skip_connect", 2, 0), Edge("skip_connect", 4, 3)), (4,)),
    ],
)
def test_a_cell_in_which_nothing_reaches_the_output(dead):
    message = "the genotype has a cell in which nothing reaches the output: take another genotype"
    with pytest.raises(UserError) as caught:
        output_nodes(dead)
    assert str(caught.value) == message
    with pytest.raises(UserError) as caught:
        network(Genotype({"normal": DARTS_V2.cell("normal"), "reduce": dead}))
    assert str(caught.value) == message


def test_dead_edges_are_not_built():
    with_dead = network(Genotype({"normal": WITH_DEAD, "reduce": WITH_DEAD}))
    without = network(Genotype({"normal": WITHOUT_DEAD, "reduce": WITHOUT_DEAD}))
    assert parameter_counts(with_dead) == parameter_counts(without)
    assert with_dead.state_dict().keys() == without.state_dict().keys()
    assert with_dead.feature_size == 2 * 4 * 4
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(with_dead(x), without(x))


def test_every_parameter_of_a_network_with_dead_nodes_has_a_gradient():
    model = network(Genotype({"normal": WITH_DEAD, "reduce": WITH_DEAD}))
    model(torch.randn(4, 3, 8, 8)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["fairdarts_a", "fairdarts_c", "fairdarts_e", "fairdarts_g"])
def test_the_output_of_fairdarts_lacks_its_vanished_nodes(name):
    genotype = load_genotype(name)[0]
    widths = len(genotype.cell("normal").concat), len(genotype.cell("reduce").concat)
    assert widths == (3, 4)
    model = network(genotype, cells=4)
    shapes = []
    for module in model.cells:
        module.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape[1:]))
    logits = model(torch.randn(2, 3, 16, 16))
    assert logits.shape == (2, 7)
    assert shapes == [(12, 16, 16), (4 * 8, 8, 8), (4 * 16, 4, 4), (3 * 16, 4, 4)]


# --- cells --------------------------------------------------------------------------------------


def test_a_node_sums_any_number_of_inputs():
    module = cell(
        *(("sep_conv_3x3", 2, 0), ("skip_connect", 2, 0), ("dil_conv_5x5", 2, 1)),  # two of one
        ("avg_pool_3x3", 3, 2),
        *(("sep_conv_5x5", 4, 3), ("max_pool_3x3", 4, 0), ("skip_connect", 4, 1), ("none", 4, 2)),
    )
    before, previous = states()
    s0, s1, op = module.preprocess0(before), module.preprocess1(previous), module.operations
    s2 = op[0](s0) + s0 + op[2](s1)
    s3 = op[3](s2)
    s4 = op[4](s3) + op[5](s0) + s1
    expected = torch.cat([s2, s3, s4], 1)
    torch.testing.assert_close(module(before, previous), expected, rtol=1e-13, atol=1e-13)


def test_the_order_of_edges_between_nodes_does_not_matter():
    edges = (Edge("sep_conv_3x3", 2, 0), Edge("skip_connect", 3, 2), Edge("none", 2, 1))
    ordered, reverse = (
        Cell(PLAN, CellGenotype(order, (2, 3))).double() for order in (edges, edges[::-1])
    )
    state = ordered.state_dict()
    renamed = {name.replace("operations.0", "operations.2"): state[name] for name in state}
    reverse.load_state_dict(renamed)
    before, previous = states()
    assert torch.equal(ordered(before, previous), reverse(before, previous))


def test_nodes_are_concatenated_in_the_order_of_the_genotype():
    edges = ("skip_connect", 2, 0), ("skip_connect", 3, 1), ("max_pool_3x3", 4, 0)
    module = cell(*edges, concat=(4, 2))
    before, previous = states()
    s0 = module.preprocess0(before)
    expected = torch.cat([module.operations[2](s0), s0], 1)
    assert torch.equal(module(before, previous), expected)


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("reduction", [False, True])
def test_a_cell_halves_what_comes_from_its_inputs(reduction, follows):
    plan = CellPlan(4, 6, 5, reduction, follows, kind="normal")
    edges = (("sep_conv_3x3", 2, 0), ("skip_connect", 2, 1), ("max_pool_3x3", 3, 2), ("none", 3, 0))
    before, previous = torch.randn(2, 6, 16 if follows else 8, 16 if follows else 8), states()[1]
    side = 4 if reduction else 8
    assert cell(*edges, plan=plan)(before.double(), previous).shape == (2, 8, side, side)


def test_none_leads_to_zeros():
    module = cell(("none", 2, 0), ("none", 3, 2), ("skip_connect", 3, 1))
    before, previous = states()
    zeros, rest = module(before, previous).chunk(2, 1)
    assert not zeros.any()
    assert torch.equal(rest, module.preprocess1(previous))


def test_a_genotype_may_choose_none():
    genotype = load_genotype("snas_aggressive")[0]
    assert genotype.count("none") == 6
    model = network(genotype)
    model.set_drop_path(0.2)
    model(torch.randn(32, 3, 8, 8)).square().sum().backward()
    assert model.stem[0].weight.grad.abs().max() > 0


# --- drop path ----------------------------------------------------------------------------------


def test_only_what_is_no_identity_can_be_dropped():
    edges = [(name, 2, source) for name in OPERATIONS for source in (0, 1)]
    module = cell(*edges)
    dropped = {
        edge.operation: droppable
        for edge, droppable in zip(module.edges, module.droppable, strict=True)
    }
    assert dropped == {name: name != "skip_connect" for name in OPERATIONS}
    reduction = CellPlan(4, 6, 5, reduction=True, follows_reduction=False, kind="normal")
    strided = cell(("skip_connect", 2, 0), ("skip_connect", 3, 2), plan=reduction)
    assert strided.droppable == [True, False]


def dropping(module, probability):
    """Return the cell as a function of its inputs, with factors of drop path."""
    drop_path = DropPath()
    drop_path.probability.fill_(probability)

    def call(before, previous):
        return module(before, previous, drop_path(sum(module.droppable), like=before))

    return call


def test_dropped_or_scaled_for_an_image_at_a_time():
    """What remains is divided by its probability, so that the mean over draws is the output."""
    module = cell(("sep_conv_3x3", 2, 0), ("avg_pool_3x3", 3, 1))
    before, previous = states(side=4, batch=400)
    plain = module(before, previous)
    outputs = dropping(module, 0.4)(before, previous)
    shares = (outputs / plain).reshape(400, 2, -1)  # images, nodes, values
    kept = shares[:, :, :1]
    torch.testing.assert_close(shares, kept.expand_as(shares), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(kept, (kept > 0.5).double() / 0.6, rtol=1e-7, atol=1e-7)
    # 400 draws with a standard error of 0.04; the two operations are drawn apart
    assert kept.mean((0, 2)).sub(1).abs().max() < 0.16
    assert 0.3 < (kept[:, 0] == kept[:, 1]).double().mean() < 0.75


def test_identities_are_never_dropped():
    module = cell(("sep_conv_3x3", 2, 0), ("skip_connect", 2, 1))
    before, previous = states()
    found = dropping(module, 0.999)(before, previous)
    torch.testing.assert_close(found, module.preprocess1(previous))


def test_a_state_is_not_dropped_for_its_other_readers():
    """Dropping must not write into what other edges read."""
    module = cell(("none", 2, 0), ("max_pool_3x3", 2, 1), ("skip_connect", 3, 1))
    before, previous = states()
    plain = module(before, previous)[:, 4:].clone()
    assert torch.equal(dropping(module, 0.9)(before, previous)[:, 4:], plain)


def test_drop_path_is_of_training_and_of_the_seed():
    model = network().double()
    x = torch.randn(4, 3, 8, 8).double()

    def draw(seed):
        torch.manual_seed(seed)
        return model(x)

    plain = draw(0)
    assert torch.equal(draw(1), plain)  # a new network drops nothing
    model.set_drop_path(0.3)
    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert not torch.equal(draw(1), plain)
    model.eval()
    assert torch.equal(draw(1), draw(2))
    model.train().set_drop_path(0.0)
    assert torch.equal(draw(1), plain)


def test_every_cell_gets_factors_of_its_own():
    """Drawn at once, and handed out in order: one for each droppable operation of each cell."""
    model = network(cells=4)
    model.set_drop_path(0.25)
    seen = []
    for module in model.cells:
        module.register_forward_pre_hook(lambda module, inputs: seen.append((module, inputs[2])))
    model(torch.randn(64, 3, 8, 8))
    assert [module for module, _ in seen] == list(model.cells)
    assert [len(factors) for _, factors in seen] == [sum(m.droppable) for m, _ in seen]
    drawn = torch.stack([factor.flatten() for _, factors in seen for factor in factors])
    assert set(drawn.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.75))}
    assert len(drawn.unique(dim=0)) == len(drawn)


# --- stems and classifiers ----------------------------------------------------------------------


def test_the_cifar_stem_feeds_both_inputs_at_full_size():
    model = network().eval()
    inputs = []
    model.cells[0].register_forward_pre_hook(lambda module, arguments: inputs.append(arguments))
    x = torch.randn(2, 3, 8, 8)
    model(x)
    before, previous, _ = inputs[0]
    assert before.shape == (2, 12, 8, 8)
    assert torch.equal(before, previous)
    assert torch.equal(before, model.stem[1](model.stem[0](x)))


def test_the_imagenet_stem_feeds_a_quarter_and_an_eighth():
    model = network(stem="imagenet").eval()
    inputs = []
    model.cells[0].register_forward_pre_hook(lambda module, arguments: inputs.append(arguments))
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 7)
    assert [tensor.shape for tensor in inputs[0][:2]] == [(2, 4, 16, 16), (2, 4, 8, 8)]


def test_an_unknown_stem_is_refused():
    with pytest.raises(ValueError, match="mnist is not a stem"):
        network(stem="mnist")


def test_logits_are_a_linear_map_of_pooled_features():
    model = network().eval()
    x = torch.randn(2, 3, 8, 8)
    last = []
    model.cells[-1].register_forward_hook(lambda module, inputs, output: last.append(output))
    features = model.features(x)
    assert features.shape == (2, model.feature_size) == (2, 4 * 16)
    torch.testing.assert_close(features, last[0].sum((2, 3)) / 4)
    logits = features @ model.classifier.weight.T + model.classifier.bias
    torch.testing.assert_close(model(x), logits)


def test_without_an_auxiliary_classifier_there_is_one_prediction():
    model = network().eval()
    x = torch.randn(2, 3, 8, 8)
    (logits,) = model.predictions(x)
    assert torch.equal(logits, model(x))
    assert parameter_counts(model)["auxiliary_parameters"] == 0


@pytest.mark.parametrize(("cells", "at"), [(1, 0), (3, 2), (4, 2), (5, 3), (8, 5)])
def test_the_auxiliary_classifier_sees_the_cell_two_thirds_up(cells, at):
    model = network(cells=cells, auxiliary=True).eval()
    seen = []
    model.cells[at].register_forward_hook(lambda module, inputs, output: seen.append(output))
    x = torch.randn(2, 3, 32, 32)
    logits, auxiliary = model.predictions(x)
    assert auxiliary.shape == (2, 7)
    assert torch.equal(auxiliary, model.auxiliary_head(seen[0]))
    assert torch.equal(logits, model(x))


def test_the_auxiliary_classifier_is_left_out_of_logits():
    model = network(auxiliary=True)
    calls = []
    model.auxiliary_head.register_forward_hook(lambda *_: calls.append(1))
    model(torch.randn(2, 3, 32, 32))
    model.features(torch.randn(2, 3, 32, 32))
    assert calls == []
    model.predictions(torch.randn(2, 3, 32, 32))
    assert calls == [1]


def test_larger_images_fit_the_auxiliary_classifier():
    model = network(auxiliary=True).eval()
    state = torch.randn(2, 64, 11, 14)
    head = model.auxiliary_head
    features = head.features(state)
    assert features.shape == (2, 768, 2, 3)
    torch.testing.assert_close(head(state), head.classifier(features.sum((2, 3)) / 6))
    assert model.predictions(torch.randn(2, 3, 48, 48))[1].shape == (2, 7)


@pytest.mark.parametrize(("stem", "normalisations"), [("cifar", 2), ("imagenet", 1)])
def test_the_auxiliary_classifier_of_imagenet_has_one_normalisation(stem, normalisations):
    features = network(auxiliary=True, stem=stem).auxiliary_head.features
    assert sum(isinstance(module, nn.BatchNorm2d) for module in features) == normalisations
    assert isinstance(features[-1], nn.ReLU)


# --- sizes of images ----------------------------------------------------------------------------

ANOTHER_STEM = {"cifar": "", "imagenet": ", or stem=cifar"}
"""End of a message about the size of images, by stem."""


@pytest.mark.parametrize(
    ("size", "cells", "stem", "divisor"),
    [
        *((30, 20, "cifar", 4), (4, 20, "cifar", 4), (7, 1, "cifar", 2), (2, 1, "cifar", 2)),
        *((100, 14, "imagenet", 32), (32, 14, "imagenet", 32), (24, 1, "imagenet", 16)),
    ],
)
@pytest.mark.parametrize("auxiliary", [False, True])
def test_a_size_that_cannot_be_halved(size, cells, stem, divisor, auxiliary):
    with pytest.raises(UserError) as caught:
        check_image_size(size, cells, auxiliary, stem)
    assert str(caught.value) == (
        f"images of {size}x{size} pixels cannot be halved as often as {cells} cells with "
        f"stem={stem} do: take data.image_size, a multiple of {divisor} and at least {2 * divisor}"
        + ANOTHER_STEM[stem]
    )


@pytest.mark.parametrize(
    ("size", "cells", "stem", "left", "needed"),
    [
        *((28, 20, "cifar", 7, 8), (8, 3, "cifar", 2, 8), (14, 1, "cifar", 7, 8)),
        *((192, 14, "imagenet", 6, 7), (96, 1, "imagenet", 6, 7)),
    ],
)
def test_a_size_that_is_too_small_for_the_auxiliary_classifier(size, cells, stem, left, needed):
    check_image_size(size, cells, False, stem)
    with pytest.raises(UserError) as caught:
        check_image_size(size, cells, True, stem)
    assert str(caught.value) == (
        f"images of {size}x{size} pixels leave {left}x{left} for the auxiliary classifier, which "
        f"needs {needed}x{needed}: take a larger data.image_size, or auxiliary=0"
        + ANOTHER_STEM[stem]
    )
    model = network(cells=cells, auxiliary=True, stem=stem).eval()
    with pytest.raises(RuntimeError):
        model.predictions(torch.randn(1, 3, size, size))


@pytest.mark.parametrize(
    ("size", "cells", "auxiliary", "stem"),
    [
        *((8, 3, False, "cifar"), (12, 3, False, "cifar"), (4, 1, False, "cifar")),
        *((32, 3, True, "cifar"), (36, 4, True, "cifar"), (16, 1, True, "cifar")),
        *((64, 3, False, "imagenet"), (224, 3, True, "imagenet"), (112, 1, True, "imagenet")),
    ],
)
def test_a_size_that_fits_runs(size, cells, auxiliary, stem):
    check_image_size(size, cells, auxiliary, stem)
    model = network(cells=cells, auxiliary=auxiliary, stem=stem)
    for logits in model.predictions(torch.randn(2, 3, size, size)):
        assert logits.shape == (2, 7)
        assert logits.isfinite().all()
