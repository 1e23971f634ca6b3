"""Supernets with the ImageNet stem, whose first cell has inputs of different sizes."""

import pytest
import torch
from networks import search_network

from ltnas import config as c
from ltnas.diagnostics.ranks import ranks_of_cells
from ltnas.kernels.switch import without_kernels
from ltnas.models.restriction import restricted
from ltnas.objectives.masked_reconstruction import Decoder
from ltnas.space.cost import operation_cost
from ltnas.space.layout import StateShape
from ltnas.training.search_parts import _costs

SIDE, CHANNELS, NODES, CLASSES = 64, 2, 2, 5
MACROS = {"cells": (c.StackedCells(), 3), "broad": (c.BroadCells(enhancement_cells=2), 2)}
"""Macro-network and number of cells, by name."""


def network(macro="cells", operations=c.OPERATIONS, **options):
    torch.manual_seed(0)
    value, cells = MACROS[macro]
    return search_network(
        operations,
        nodes=NODES,
        channels=CHANNELS,
        cells=cells,
        classes=CLASSES,
        macro=value,
        stem="imagenet",
        **options,
    ).double()


def pixels():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, SIDE, SIDE, dtype=torch.float64, generator=generator)


def gradients(model):
    """Logits, and the gradient of a loss by the name of each parameter."""
    logits = model(pixels())
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 3]))
    named = dict(model.named_parameters())
    found = torch.autograd.grad(loss, list(named.values()))
    return logits, dict(zip(named, found, strict=True))


@pytest.mark.parametrize("macro", MACROS)
def test_the_first_cell_sees_a_quarter_and_an_eighth(macro):
    model, inputs, outputs = network(macro), [], []
    for cell in model.supernet.cells:
        cell.register_forward_hook(lambda module, seen, output: outputs.append(output.shape[-1]))
    model.supernet.cells[0].register_forward_pre_hook(lambda module, seen: inputs.extend(seen[:2]))
    assert model(pixels()).shape == (2, CLASSES)
    assert [tuple(x.shape) for x in inputs] == [(2, CHANNELS, 16, 16), (2, CHANNELS, 8, 8)]
    assert inputs[1].equal(model.supernet.stem1(inputs[0]))
    # Stacked: a normal and two reduction cells. Broad: two broad cells, two enhancement cells.
    assert outputs == {"cells": [8, 4, 2], "broad": [4, 2, 2, 2]}[macro]


@pytest.mark.parametrize("macro", MACROS)
@pytest.mark.parametrize("options", [{}, {"checkpointed": True}], ids=["kept", "checkpointed"])
def test_every_executor_gives_the_same_logits_and_gradients(macro, options):
    with without_kernels():
        logits, wanted = gradients(network(macro))
    found_logits, found = gradients(network(macro, **options))
    torch.testing.assert_close(found_logits, logits, rtol=1e-9, atol=1e-9)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-8, atol=1e-8, msg=name)
    stems = [name for name in found if name.startswith("supernet.stem")]
    # Three convolutions with a normalisation each, which has a factor and a summand.
    assert len(stems) == 9
    assert all(found[name].abs().max() > 0 for name in [*stems, "architecture.normal"])


@pytest.mark.parametrize("macro", MACROS)
def test_two_branches_share_the_stem(macro):
    model = network(macro, branch_depth=1)
    assert model(pixels()).shape == (2, CLASSES)
    last = model.supernet.last_cell(0), model.supernet.last_cell(1)
    assert last[0] is not last[1]
    sides = [model.supernet.tail(model.trunk(pixels()), branch).shape[-1] for branch in (0, 1)]
    assert sides == [2, 2]


@pytest.mark.parametrize("macro", MACROS)
def test_shapes_of_the_states_count_the_halvings_of_the_stem(macro):
    model = network(macro)
    states = model.last_states(pixels())
    assert [tuple(state.shape) for state in states] == [
        (2, shape.channels, SIDE >> shape.halvings, SIDE >> shape.halvings)
        for shape in model.state_shapes
    ]
    assert [shape.halvings for shape in model.state_shapes] == [3, 4, 5]
    assert isinstance(model.state_shapes[0], StateShape)
    decoder = Decoder(model.state_shapes, channels=4).double()
    assert decoder(states).shape == (2, 3, SIDE, SIDE)


@pytest.mark.parametrize("macro", MACROS)
def test_a_restricted_network_keeps_the_stem(macro):
    model = network(macro).eval()
    same = restricted(model, model.supernet.masks).double().eval()
    assert same.supernet.stem_name == "imagenet"
    torch.testing.assert_close(same(pixels()), model(pixels()), rtol=1e-9, atol=1e-9)


def test_costs_of_the_first_cells_by_hand():
    found = _costs(network().supernet, SIDE)
    # A skip connection of a normal cell reads and writes 2 channels of 8 x 8 pixels. The first
    # cell counts what its edges see, both at an eighth of the images.
    skip = c.OPERATIONS.index("skip_connect")
    assert [edge[skip].accesses for edge in found["normal"][0]] == [2 * 2 * 64] * 5
    # A max pool of the first reduction cell writes 4 channels of 4 x 4 pixels, 9 inputs to each.
    pool = c.OPERATIONS.index("max_pool_3x3")
    first = found["reduce"][0]
    assert [edge[pool].multiply_accumulates for edge in first] == [9 * 4 * 16] * 5
    # Edges from the inputs have stride 2 and read 8 x 8 pixels.
    assert [edge[pool].accesses for edge in first] == [*[4 * (64 + 16)] * 4, 4 * (16 + 16)]
    assert found["reduce"][1][0][pool] == operation_cost("max_pool_3x3", 8, 2, 2)


def test_ranks_at_the_published_scale_count_the_pixels_of_the_cells():
    operations = ("sep_conv_3x3", "dil_conv_3x3")
    supernet = network(operations=operations).supernet
    plain, scaled = ranks_of_cells(supernet), ranks_of_cells(supernet, SIDE)
    torch.testing.assert_close(scaled["normal"], 8**2 * plain["normal"])
    areas = torch.tensor([*[4.0**2] * 4, 8.0**2], dtype=torch.float64)[:, None]
    torch.testing.assert_close(scaled["reduce"][0], areas * plain["reduce"][0])


@pytest.mark.parametrize("macro", MACROS)
def test_an_unknown_stem_is_refused(macro):
    value, cells = MACROS[macro]
    with pytest.raises(ValueError, match="mnist is not a stem"):
        search_network(nodes=NODES, channels=CHANNELS, cells=cells, macro=value, stem="mnist")
