"""Checkpoints of the search networks of PC-DARTS, DARTS-, DrNAS, MSR-DARTS and BNAS-v2.

They are compared with plain networks that have the names and the forward rules of published code:
logits, loss, the gradient of every parameter, and all statistics.
"""

import pytest
import torch
from official_broad import BroadSearch, PartialBroadSearch
from official_msr_darts import MsrDarts
from official_supernets import DartsMinus, DrNas, PcDarts, SearchNetwork, dirichlet, scattered
from torch.nn import functional

from ltnas.errors import UserError
from ltnas.interop import load_official_supernet

TOLERANCE = 1e-9
CLASSES = 5
KINDS = ("normal", "reduce")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def images(side=8, batch=3):
    return torch.randn(batch, 3, side, side, dtype=torch.float64)


def assert_same(ours, theirs, name=None):
    scale = max(float(theirs.detach().abs().max()), 1e-3)
    torch.testing.assert_close(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE * scale, msg=name)


def copied(state):
    return {name: tensor.clone() for name, tensor in state.items()}


def gradients(network):
    """Return a state dict that holds the gradient of every parameter in its place."""
    parameters = dict(network.named_parameters())
    found = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in parameters.items()}
    return network.state_dict() | found


class Case:
    """A published search network with random weights, and the loader's arguments for it."""

    def __init__(self, scheme, build, c, layers, **options):
        self.theirs = scattered(build(c, layers, CLASSES))
        self.shape, self.options = (c, layers, CLASSES), {"scheme": scheme, **options}

    def load(self, state, value=lambda tensor: tensor):
        """Load a state dict; `value` is applied to the parameters of the architecture."""
        alphas = [tensor if tensor is None else value(tensor) for tensor in self.theirs.alphas]
        options = dict(self.options)
        for kind, tensor in zip(KINDS, getattr(self.theirs, "betas", ()), strict=False):
            options[f"betas_{kind}"] = value(tensor)
        return load_official_supernet(state, *alphas, *self.shape, **options)


def pc_darts(c=8, layers=3, k=4, **options):
    return Case("pc_darts", lambda *shape: PcDarts(*shape, k=k), c, layers, **options)


def darts_minus(c=4, layers=3, strength=1.0, **options):
    return Case("darts_minus", lambda *shape: DartsMinus(*shape, strength), c, layers, **options)


def drnas(c=6, layers=3, k=6, **options):
    return Case("drnas", lambda *shape: DrNas(*shape, k=k), c, layers, **options)


def msr_darts(c=4, layers=3, side=8, **options):
    case = Case("msr_darts", lambda *shape: MsrDarts(*shape, side=side), c, layers, **options)
    case.theirs.part_singular_values()
    return case


def b_darts(c=4, layers=2, **options):
    return Case("b_darts", BroadSearch, c, layers, **options)


def b_pc_darts(c=4, layers=2, **options):
    return Case("b_pc_darts", PartialBroadSearch, c, layers, **options)


def assert_equal_training(case, ours, logits, theirs):
    """Compare losses of a training step, and then gradients and statistics."""
    labels = torch.arange(len(logits)) % CLASSES
    assert_same(logits, theirs)
    losses = [functional.cross_entropy(output, labels) for output in (logits, theirs)]
    assert_same(*losses)
    for loss in losses:
        loss.backward()

    def gradient(tensor):
        return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad

    # The gradients in the place of the weights, and the buffers as the forward pass left them.
    expected = case.load(gradients(case.theirs), gradient).state_dict()
    found = gradients(ours)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        if not name.startswith("relaxation.ranks"):  # which are those of the gradients
            assert_same(tensor, expected[name], name)
    named = ours.named_architecture()
    assert all(values.grad.abs().max() > 1e-6 for values in named.values())


PC_DARTS = [{"layers": 4}, {"c": 4}, {"k": 2, "partial_channels": 2}]


@pytest.mark.parametrize("settings", PC_DARTS)
def test_pc_darts_trains_and_evaluates_the_same(settings):
    case = pc_darts(**settings)
    ours = case.load(copied(case.theirs.state_dict()))
    x = images()
    assert_equal_training(case, ours, ours(x), case.theirs(x))
    assert_same(ours.eval()(x), case.theirs.eval()(x))
    assert set(ours.named_architecture()) == {
        *(f"{part}.{kind}" for part in ("architecture", "edge_parameters") for kind in KINDS)
    }


@pytest.mark.parametrize(
    ("make", "parts"),
    [(b_darts, ["architecture"]), (b_pc_darts, ["architecture", "edge_parameters"])],
)
def test_bnas_v2_trains_and_evaluates_the_same(make, parts):
    case = make()
    ours = case.load(copied(case.theirs.state_dict()))
    x = images()
    assert_equal_training(case, ours, ours(x), case.theirs(x))
    assert_same(ours.eval()(x), case.theirs.eval()(x))
    assert set(ours.named_architecture()) == {
        f"{part}.{kind}" for part in parts for kind in ("normal", "enhancement")
    }


DARTS_MINUS = [{}, {"strength": 0.3, "auxiliary_strength": 0.3}]


@pytest.mark.parametrize("settings", DARTS_MINUS)
def test_darts_minus_trains_and_evaluates_the_same(settings):
    case = darts_minus(**settings)
    ours = case.load(copied(case.theirs.state_dict()))
    x = images()
    assert_equal_training(case, ours, ours(x), case.theirs(x))
    # The auxiliary skip connection stays in evaluation.
    assert_same(ours.eval()(x), case.theirs.eval()(x))


def test_without_strength_darts_minus_is_darts():
    case = darts_minus(strength=0.0, auxiliary_strength=0.0)
    state = copied(case.theirs.state_dict())
    plain = {name: tensor for name, tensor in state.items() if "auxiliary_op" not in name}
    assert len(plain) < len(state)
    darts = load_official_supernet(plain, *case.theirs.alphas, *case.shape)
    x = images()
    assert_same(case.load(state)(x), darts(x))


def samples_of(parameters):
    """Return the samples that the published code draws after seed 7."""
    torch.manual_seed(7)
    return [dirichlet(values) for values in parameters]


DRNAS = [
    {},
    {"c": 8, "k": 4, "partial_channels": 4},
    {"c": 4, "k": 1, "partial_channels": 1},
]


@pytest.mark.parametrize("settings", DRNAS)
def test_drnas_trains_and_evaluates_the_same_with_given_samples(settings):
    case = drnas(**settings)
    ours = case.load(copied(case.theirs.state_dict()))
    x = images()
    case.theirs.samples = samples_of(case.theirs.alphas)
    mixing = dict(zip(KINDS, samples_of(ours.architecture_parameters().values()), strict=True))
    assert_equal_training(case, ours, ours(x, mixing), case.theirs(x))
    # The original samples in evaluation as well.
    assert_same(ours.eval()(x, mixing), case.theirs.eval()(x))


def test_drnas_has_samples_of_its_own_in_training():
    case = drnas()
    ours = case.load(copied(case.theirs.state_dict()))
    weights = ours.mixing_weights()
    assert all(values.shape == (14, 7) and values.min() > 0 for values in weights.values())
    ours.relaxation.draw(torch.Generator().manual_seed(1))
    assert not torch.allclose(ours.mixing_weights()["normal"], weights["normal"])
    case.theirs.samples = list(ours.mixing_weights().values())
    x = images()
    assert_same(ours(x), case.theirs(x))


# Numbers of cells in which the first one is a normal cell, or a reduction cell.
@pytest.mark.parametrize("layers", [3, 2])
def test_msr_darts_trains_and_evaluates_the_same(layers):
    case = msr_darts(layers=layers)
    ours = case.load(copied(case.theirs.state_dict()))
    x = images()
    assert_equal_training(case, ours, ours(x), case.theirs(x))
    assert_same(ours.eval()(x), case.theirs.eval()(x))
    assert ours.named_architecture() == {}


def test_each_cell_of_msr_darts_has_mixing_weights_of_its_own():
    case = msr_darts(layers=5)
    ours = case.load(copied(case.theirs.state_dict()))
    x = images()
    assert_same(ours(x), case.theirs(x))
    weights = ours.mixing_weights()
    assert {kind: tuple(w.shape) for kind, w in weights.items()} == {
        "normal": (3, 14, 4),
        "reduce": (2, 14, 4),
    }
    assert not torch.allclose(*weights["reduce"])
    shared = {kind: w.mean(0) for kind, w in weights.items()}
    assert not torch.allclose(ours(x, shared), ours(x))
    # Selection ranks means over the cells.
    strengths = ours.strengths()
    torch.testing.assert_close(strengths["normal"], -ours.relaxation.measured()["normal"].mean(0))


def test_msr_darts_trains_the_same_with_given_mixing_weights():
    case = msr_darts()
    ours = case.load(copied(case.theirs.state_dict()))
    case.theirs.given = [torch.rand(14, 4).double() for _ in KINDS]
    mixing = dict(zip(KINDS, case.theirs.given, strict=True))
    x = images()
    assert_equal_training(case, ours, ours(x, mixing), case.theirs(x))
    # No operation has a weight of almost 0 that would hide its gradients.
    assert all(weight.grad.abs().max() > 1e-6 for weight in ours.weight_parameters().values())


def test_estimates_of_singular_values_change_msr_darts_little():
    case = msr_darts()
    ours = case.load(copied(case.theirs.state_dict()))
    x = images(batch=16)
    exact = ours(x)
    case.theirs.estimate()
    differences = (case.theirs(x) - exact).abs()
    assert 0 < differences.max() < 0.1 * exact.std()


def test_an_image_of_another_size_has_other_ranks():
    small, large = (msr_darts(layers=1, side=side) for side in (8, 16))
    state = small.theirs.state_dict() | {
        name: tensor
        for name, tensor in large.theirs.state_dict().items()
        if name.endswith("weight_v")
    }
    measured = [
        small.load(copied(s)).relaxation.measured() for s in (small.theirs.state_dict(), state)
    ]
    torch.testing.assert_close(4 * measured[0]["reduce"], measured[1]["reduce"])


# --- forms of a checkpoint ----------------------------------------------------------------------

CASES = [pc_darts, darts_minus, drnas, msr_darts, b_pc_darts]


def smallest(make):
    return make() if make is b_pc_darts else make(layers=1)


@pytest.mark.parametrize("make", CASES)
def test_data_parallel_puts_a_prefix_before_names(make):
    case = smallest(make)
    theirs = torch.nn.DataParallel(case.theirs).state_dict()
    assert all(name.startswith("module.") for name in theirs)
    ours, plain = case.load(copied(theirs)), case.load(copied(case.theirs.state_dict()))
    for name, tensor in plain.state_dict().items():
        assert torch.equal(ours.state_dict()[name], tensor), name


@pytest.mark.parametrize("make", CASES)
def test_what_is_loaded_draws_no_random_number_and_takes_the_dtype(make):
    case = smallest(make)
    state = {
        n: t.float() if t.is_floating_point() else t for n, t in case.theirs.state_dict().items()
    }
    before = torch.get_rng_state()
    ours = case.load(state)
    assert torch.equal(torch.get_rng_state(), before)
    assert {parameter.dtype for parameter in ours.parameters()} == {torch.float32}
    assert ours(images().float()).dtype == torch.float32


@pytest.mark.parametrize(
    ("scheme", "build", "cells", "wanted"),
    [
        ("pc_darts", PcDarts, 8, 299_578),
        ("darts_minus", DartsMinus, 8, 1_971_578),
        ("msr_darts", MsrDarts, 8, 1_889_658),
        ("b_darts", BroadSearch, 2, 1_224_762),
        ("b_pc_darts", PartialBroadSearch, 2, 289_242),
    ],
)
def test_published_numbers_of_parameters(scheme, build, cells, wanted):
    theirs = build(16, cells, 10)
    assert sum(parameter.numel() for parameter in theirs.parameters()) == wanted
    betas = dict(zip(("betas_normal", "betas_reduce"), getattr(theirs, "betas", ()), strict=False))
    ours = load_official_supernet(
        theirs.state_dict(), *theirs.alphas, 16, cells, 10, scheme=scheme, **betas
    )
    assert sum(weight.numel() for weight in ours.weight_parameters().values()) == wanted


def test_published_number_of_parameters_of_drnas():
    with torch.device("meta"):
        theirs = DrNas(36, 20, 10)
    assert sum(parameter.numel() for parameter in theirs.parameters()) == 2_221_750


# --- checkpoints that do not fit ----------------------------------------------------------------


def error(case, state=None, shape=None, **options):
    """Return the message for a checkpoint with some of the loader's arguments changed."""
    theirs = case.theirs
    given = dict(zip(("betas_normal", "betas_reduce"), getattr(theirs, "betas", ()), strict=False))
    arguments = case.options | given | options
    alphas = [arguments.pop(f"alphas_{k}", v) for k, v in zip(KINDS, theirs.alphas, strict=True)]
    with pytest.raises(UserError) as caught:
        load_official_supernet(
            theirs.state_dict() if state is None else state,
            *alphas,
            *(shape or case.shape),
            **arguments,
        )
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_edge_parameters_are_missing():
    assert error(pc_darts(layers=1), betas_reduce=None) == (
        "scheme=pc_darts needs betas_reduce, the edge parameters that the original does not keep "
        "in its state dict: give the (14,) tensor of the search"
    )


@pytest.mark.parametrize(
    ("scheme", "title"), [("darts", "DARTS"), ("darts_minus", "DARTS-"), ("drnas", "DrNAS")]
)
def test_edge_parameters_of_a_scheme_without_them(scheme, title):
    case = (drnas if scheme == "drnas" else darts_minus)(layers=1)
    assert error(case, scheme=scheme, betas_normal=torch.zeros(14)) == (
        f"betas_normal is given, but {title} has no edge parameters: omit it, or add "
        "scheme='pc_darts'"
    )


@pytest.mark.parametrize("shape", [(13,), (14, 1), (4, 5)])
def test_edge_parameters_of_another_shape(shape):
    assert error(pc_darts(layers=1), betas_normal=torch.zeros(shape)) == (
        f"betas_normal has the shape {shape}: give the (14,) tensor of a PC-DARTS search"
    )


def test_drnas_has_no_parameters_of_none():
    assert error(drnas(layers=1), alphas_normal=torch.zeros(14, 8)) == (
        "alphas_normal has the shape (14, 8): give the (14, 7) tensor of a DrNAS search"
    )


@pytest.mark.parametrize(
    ("make", "channels", "share"),
    [(pc_darts, 6, None), (drnas, 16, None), (drnas, 6, 4), (drnas, 6, 0), (pc_darts, 8, -1)],
)
def test_channels_that_cannot_be_divided(make, channels, share):
    case = make(layers=1)
    message = error(case, shape=(channels, 1, CLASSES), partial_channels=share)
    number = share if share is not None else {pc_darts: 4, drnas: 6}[make]
    assert message == (
        f"partial_channels={number} does not divide channels={channels}: each operation sees "
        "channels / partial_channels of them; give the numbers of the search"
    )


@pytest.mark.parametrize("scheme", ["darts", "darts_minus"])
def test_partial_channels_of_a_scheme_without_them(scheme):
    message = error(darts_minus(layers=1), scheme=scheme, partial_channels=4)
    assert message.startswith("partial_channels=4, but operations of DARTS")


def test_another_number_of_partial_channels():
    message = error(pc_darts(layers=1), partial_channels=2)
    assert message.startswith("cells.0._ops.0._ops.1.1.running_mean has the shape (4,)")
    assert message.endswith(
        "channels=8, partial_channels=2, cells=1 and num_classes=5 must be those that it was "
        "created with"
    )


def test_strength_of_a_scheme_without_an_auxiliary_skip():
    assert error(pc_darts(layers=1), auxiliary_strength=0.5) == (
        "auxiliary_strength=0.5, but PC-DARTS has no auxiliary skip connections: omit it, or add "
        "scheme='darts_minus'"
    )
    assert error(darts_minus(layers=1), auxiliary_strength=-1) == (
        "auxiliary_strength=-1 must be 0 or more"
    )


def test_an_unknown_scheme():
    assert error(darts_minus(layers=1), scheme="fairdarts") == (
        "scheme=fairdarts is not known: choose one of darts, pc_darts, darts_minus, drnas, "
        "msr_darts, b_darts, b_pc_darts"
    )


def test_a_broad_search_network_has_two_convolution_cells():
    assert error(b_darts(), shape=(4, 3, CLASSES)) == (
        "cells=3, but search networks of BNAS-v2 have 2 convolution cells: give cells=2"
    )


def test_the_scheme_of_another_checkpoint():
    assert "has cells.0._ops.0.auxiliary_op." in error(darts_minus(layers=1), scheme="darts")
    theirs = SearchNetwork(4, 1, CLASSES).state_dict()
    message = error(darts_minus(layers=1), state=theirs)
    assert message.startswith("the checkpoint has no cells.0._ops.0.auxiliary_op.conv_1.weight")


def test_architecture_parameters_of_a_scheme_without_them():
    assert error(msr_darts(layers=1), alphas_normal=torch.zeros(14, 4)) == (
        "alphas_normal is given, but MSR-DARTS has no architecture parameters: give None, or name "
        "the scheme of the checkpoint"
    )


def test_architecture_parameters_are_missing():
    assert error(darts_minus(layers=1), alphas_reduce=None) == (
        "scheme=darts_minus needs alphas_reduce, the architecture parameters that the original "
        "does not keep in its state dict: give the tensor of the search"
    )


def test_msr_darts_without_its_estimates():
    case = msr_darts(layers=1)
    state = {n: t for n, t in case.theirs.state_dict().items() if not n.endswith("weight_v")}
    assert error(case, state=state) == (
        "the checkpoint has no cells.0._ops.0._ops.0.op.1.weight_v, from whose size that of the "
        "images follows: give the whole state dict of a MSR-DARTS search"
    )


def test_msr_darts_with_another_number_of_channels():
    assert error(msr_darts(layers=3), shape=(3, 3, CLASSES)) == (
        "cells.0._ops.0._ops.0.op.1.weight_v has 256 values, which are not 3 channels of a square "
        "image: channels=3 and cells=3 must be those of the search"
    )


def test_a_search_on_imagenet():
    case = pc_darts(layers=1)
    state = {
        f"module.stem0.{n}" if "stem" in n else n: t for n, t in case.theirs.state_dict().items()
    }
    assert error(case, state=state).startswith("the checkpoint has stem0, that of a search on Imag")


def test_drnas_after_operations_were_dropped():
    case = drnas(layers=1)
    state = copied(case.theirs.state_dict())
    state["cells.0._ops.2._ops.0.op.1.running_mean"] += 1
    message = error(case, state=state)
    assert message.startswith("cells.0._ops.2._ops.0.op.1.running_mean differs from cells.0._ops.0")
    assert message.endswith("which has dropped no operations yet")
