"""The last state at each resolution of supernets, for objectives that look inside them."""

import pytest
import torch
from networks import search_network

from ltnas import config as c
from ltnas.kernels.switch import without_kernels
from ltnas.models.network import Network
from ltnas.space.genotype import load_genotype
from ltnas.space.layout import StateShape

MACROS = {"cells": c.StackedCells(), "broad": c.BroadCells()}


def network(macro="cells", cells=5, **options):
    torch.manual_seed(0)
    return search_network(nodes=2, channels=4, cells=cells, macro=MACROS[macro], **options).double()


def pixels(size=16):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, size, size, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize(
    ("macro", "cells"), [*(("cells", n) for n in (1, 2, 3, 4, 8)), ("broad", 2), ("broad", 5)]
)
def test_shapes_are_known_before(macro, cells):
    model, images = network(macro, cells), pixels()
    states = model.last_states(images)
    assert [tuple(state.shape) for state in states] == [
        (2, shape.channels, 16 >> shape.halvings, 16 >> shape.halvings)
        for shape in model.state_shapes
    ]
    assert [shape.halvings for shape in model.state_shapes] == list(range(len(states)))
    # A single cell is at a third and at two thirds of the depth, and halves once.
    assert len(states) == (2 if (macro, cells) == ("cells", 1) else 3)


def test_shapes_of_the_network_of_the_paper():
    with torch.device("meta"):
        model = search_network(nodes=4, channels=16, cells=8)
    assert model.state_shapes == [StateShape(64, 0), StateShape(128, 1), StateShape(256, 2)]


@pytest.mark.parametrize("macro", MACROS)
def test_the_coarsest_is_what_the_classifier_sees(macro):
    model, images = network(macro), pixels()
    assert model.last_states(images)[-1].mean((2, 3)).equal(model.features(images))


@pytest.mark.parametrize(
    ("macro", "cells", "last"),
    [("cells", 5, [0, 2]), ("cells", 8, [1, 4]), ("cells", 2, [None, 0]), ("broad", 5, [0, 3])],
)
def test_the_finer_ones_are_the_last_of_their_size(macro, cells, last):
    """Outputs of the cells of these numbers; None: of the stem, where the first cell reduces."""
    model, outputs = network(macro, cells), {}
    modules = {None: model.supernet.stem, **dict(enumerate(model.supernet.cells))}
    for number, module in modules.items():
        module.register_forward_hook(
            lambda module, inputs, output, number=number: outputs.update({number: output})
        )
    states = model.last_states(pixels())
    for number, state in zip(last, states, strict=False):
        assert state.equal(outputs[number])
        after = 0 if number is None else number + 1
        assert outputs[after].shape[-1] == state.shape[-1] // 2


def gradients(model):
    states = model.last_states(pixels())
    generator = torch.Generator().manual_seed(2)
    loss = sum(
        (state * torch.randn(state.shape, dtype=state.dtype, generator=generator)).sum()
        for state in states
    )
    named = {name: value for name, value in model.named_parameters() if "classifier" not in name}
    found = torch.autograd.grad(loss, list(named.values()))
    return states, dict(zip(named, found, strict=True))


@pytest.mark.parametrize("macro", MACROS)
@pytest.mark.parametrize("checkpointed", [False, True])
def test_every_executor_gives_the_same_states_and_gradients(macro, checkpointed):
    with without_kernels():
        states, wanted = gradients(network(macro))
    found_states, found = gradients(network(macro, checkpointed=checkpointed))
    for state, other in zip(found_states, states, strict=True):
        torch.testing.assert_close(state, other, rtol=1e-9, atol=1e-9)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-8, atol=1e-8, msg=name)


def test_states_with_other_mixing_weights():
    model, images = network(), pixels()
    first = {kind: torch.eye(8, dtype=torch.float64)[[3] * 5] for kind in ("normal", "reduce")}
    plain = model.last_states(images)
    with model.given_weights(first):
        given = model.last_states(images)
    assert not any(a.equal(b) for a, b in zip(plain, given, strict=True))
    assert all(a.equal(b) for a, b in zip(plain, model.last_states(images), strict=True))


def test_networks_of_genotypes_have_none():
    genotype, _ = load_genotype("darts_v2")
    model = Network(genotype, 4, 3, classes=2, auxiliary=False, stem="cifar")
    with pytest.raises(NotImplementedError):
        model.last_states(pixels())
