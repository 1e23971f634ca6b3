"""Supernets that execute one operation of each edge (GDAS)."""

import pytest
import torch
from networks import search_network
from torch import nn

from ltnas import config as c
from ltnas.axes.build import build_relaxation
from ltnas.models.cell_design import CellDesign
from ltnas.models.sources import EdgeWeights
from ltnas.models.supernet import SupernetCell
from ltnas.space.edge_masks import full_mask
from ltnas.space.layout import CellPlan, edges


def cell(reduction, partial=1):
    """A cell of two nodes with modules of their own for each edge, in float64, and its inputs."""
    torch.manual_seed(0)
    design = CellDesign(c.OPERATIONS, 2, partial_channels=partial, separate_edges=True)
    made = SupernetCell(
        CellPlan(8, 8, 8, reduction, False, kind="normal"), design, full_mask(2, 8)
    ).double()
    made.preprocess0 = made.preprocess1 = nn.Identity()
    inputs = [
        torch.randn(3, 8, 6, 6, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    ]
    chosen = torch.randint(len(c.OPERATIONS), (len(edges(2)),))
    one_hot = torch.nn.functional.one_hot(chosen, len(c.OPERATIONS)).double()
    columns = torch.cat([one_hot, torch.ones(len(one_hot), design.columns - 8).double()], 1)
    return made, inputs, columns.requires_grad_(), tuple(chosen.tolist())


@pytest.mark.parametrize("executor", [0, 1])
@pytest.mark.parametrize("reduction", [False, True])
@pytest.mark.parametrize("partial", [1, 4])
def test_the_chosen_operations_give_what_all_with_weights_of_zero_give(
    reduction, partial, executor
):
    made, inputs, weights, chosen = cell(reduction, partial)
    run = made.executors[executor].run
    some = run(*inputs, EdgeWeights(weights, chosen))
    every = run(*inputs, EdgeWeights(weights))
    torch.testing.assert_close(some, every)
    (found,) = torch.autograd.grad(some.sin().sum(), weights)
    (wanted,) = torch.autograd.grad(every.sin().sum(), weights)
    executed = torch.nn.functional.one_hot(torch.tensor(chosen), len(c.OPERATIONS)).bool()
    torch.testing.assert_close(found[:, :8][executed], wanted[:, :8][executed])
    # Nothing is known of the operations that were not computed.
    assert found[:, :8][~executed].eq(0).all()
    torch.testing.assert_close(found[:, 8:], wanted[:, 8:])


@pytest.mark.parametrize("executor", [0, 1])
def test_operations_that_are_not_executed_keep_their_statistics(executor):
    made, inputs, weights, chosen = cell(False)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made.executors[executor].run(*inputs, EdgeWeights(weights, chosen))
    rows = [source.rows["skip_connect"][0] for source in made.sources]
    moved = {
        f"{rows[int(name.split('.')[1])]}{name.split('.')[3]}"
        for name, value in made.state_dict().items()
        if "running" in name and not torch.equal(value, before[name])
    }
    normalised = {"none", "skip_connect"}
    wanted = {
        f"{row}{c.OPERATIONS[column]}"
        for row, column in enumerate(chosen)
        if c.OPERATIONS[column] not in normalised
    }
    assert moved == wanted


def network(kind=c.HardGumbel):
    relaxation = build_relaxation(kind(), 14, 8)
    relaxation.draw(torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    return search_network(relaxation=relaxation, design={"separate_edges": True}).double()


def test_a_search_network_executes_what_its_relaxation_draws():
    model, images = network(), torch.randn(4, 3, 16, 16, dtype=torch.float64)
    weights = model.mixing_weights()
    logits = model(images)
    torch.testing.assert_close(logits, model(images, weights))
    parameters = [*model.architecture_parameters().values()]
    gradients = torch.autograd.grad(logits.sum(), parameters)
    # The gradient reaches every operation of an edge on which anything but `none` was executed.
    for kind, gradient in zip(weights, gradients, strict=True):
        computed = weights[kind].argmax(-1) != 0
        assert gradient[computed].ne(0).all()
        assert gradient[~computed].eq(0).all()
