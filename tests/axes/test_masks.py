"""Masked operations have the mixing weight 0 exactly, and no gradient."""

import pytest
import torch

from ltnas.axes.build import build_relaxation
from ltnas.axes.masks import EdgeMasks, masked
from ltnas.axes.selection import entropy
from ltnas.config import Sigmoid, Softmax

MASK = ((True, False, True), (False, True, False), (True, True, True))
ROWS = torch.tensor(MASK)


def parameters():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 3, dtype=torch.float64, generator=generator).requires_grad_()


def relaxed(config, values, mask):
    return build_relaxation(config, *values.shape)({"normal": masked(values, mask)})["normal"]


def test_a_softmax_is_shared_by_the_operations_of_the_edge():
    values = parameters()
    weights = relaxed(Softmax(), values, ROWS)
    exponentials = values.exp() * ROWS
    torch.testing.assert_close(weights, exponentials / exponentials.sum(1, keepdim=True))
    assert (weights[~ROWS] == 0).all()
    assert weights[1, 1] == 1


def test_a_gate_of_a_masked_operation_is_shut():
    values = parameters()
    weights = relaxed(Sigmoid(), values, ROWS)
    assert (weights[~ROWS] == 0).all()
    assert torch.equal(weights[ROWS], values.sigmoid()[ROWS])


@pytest.mark.parametrize("config", [Softmax(), Sigmoid()])
def test_no_gradient_reaches_a_masked_parameter(config):
    values = parameters()
    factors = torch.arange(1.0, 10.0, dtype=torch.float64).view(3, 3)
    (factors * relaxed(config, values, ROWS)).sum().backward()
    assert (values.grad[~ROWS] == 0).all()
    assert (values.grad[0, [0, 2]] != 0).all()


@pytest.mark.parametrize("config", [Softmax(), Sigmoid()])
def test_a_mask_that_leaves_nothing_out_changes_no_bit(config):
    values = parameters()
    plain = relaxed(config, values, None)
    full = relaxed(config, values, torch.ones(3, 3, dtype=torch.bool))
    assert torch.equal(full, plain)
    gradients = [torch.autograd.grad(w.square().sum(), values)[0] for w in (plain, full)]
    assert torch.equal(*gradients)


def test_masks_of_both_kinds_of_cell():
    masks = EdgeMasks({"normal": MASK, "reduce": ((True,) * 3,) * 3})
    values = {"normal": parameters().detach(), "reduce": parameters().detach()}
    found = masks.masked(values)
    assert torch.equal(found["normal"], masked(values["normal"], ROWS))
    assert found["reduce"] is values["reduce"]
    there = masks.existing(values)
    assert torch.equal(there["normal"], values["normal"][ROWS])
    assert there["reduce"] is values["reduce"]


def test_masks_are_no_part_of_a_checkpoint():
    masks = EdgeMasks({"normal": MASK})
    assert masks.state_dict() == {}
    assert masks.to("meta").mask("normal").is_meta
    assert masks.double().mask("normal").dtype == torch.bool


def test_the_entropy_of_an_edge_is_that_of_its_operations():
    weights = torch.tensor([[0.3, 0.0, 0.3], [0.0, 0.7, 0.0]])
    assert entropy(weights) == pytest.approx(torch.tensor(2.0).log().item() / 2)
