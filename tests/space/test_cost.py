"""Costs of candidate operations, by the formulas of SNAS and by counting real modules."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ltnas.config.space import KNOWN_OPERATIONS, OPERATIONS
from ltnas.models.cell_design import CellDesign
from ltnas.models.sources import MixingWeights
from ltnas.space.broad_layout import broad_plan
from ltnas.space.cost import operation_cost, supernet_costs
from ltnas.space.layout import cell_plans

C, SIDE = 8, 4


def published(name, stride):
    """Parameters, multiply-accumulates and accesses by the formulas of the code of SNAS.

    It has no noise, which is written and read from nowhere.
    """
    y2, two = SIDE**2, stride == 2
    if name == "none":
        return 0, 0, 0
    if name == "noise":
        return 0, 0, C * y2
    if "pool" in name:
        return 0, 9 * y2 * C, (5 if two else 2) * y2 * C
    if name == "skip_connect":
        if not two:
            return 0, 0, 2 * C * y2
        size = 2 * C * (C // 2)
        return size, size * y2, 2 * y2 * (4 * C + C // 2) + size
    k = int(name[-1])
    if name.startswith("sep"):
        size = 2 * C * k**2 + (C + C) * C
        return size, size * y2, y2 * ((10 if two else 7) * C + C) + size
    size = C * k**2 + C * C
    return size, size * y2, y2 * ((6 if two else 3) * C + C) + size


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", KNOWN_OPERATIONS)
def test_formulas(name, stride):
    assert tuple(operation_cost(name, C, SIDE, stride)) == published(name, stride)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "none"])
def test_parameters_and_multiply_accumulates_are_those_of_the_modules(name, stride):
    design = CellDesign((name,), nodes=1, separate_edges=True)
    source = design.sources(((True,),) * 2, C, reduction=stride == 2)[0]
    (mixing,) = MixingWeights([source], 1, C)(torch.ones(2, 1))
    side = SIDE * stride
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        source.eval()(torch.randn(1, C, side, side), mixing)
    found = operation_cost(name, C, SIDE, stride)
    assert found.parameters == sum(weight.numel() for weight in source.parameters())
    if "pool" not in name:  # PyTorch counts convolutions alone
        assert found.multiply_accumulates == counter.get_total_flops() // 2


def test_an_unknown_operation_is_refused():
    with pytest.raises(ValueError, match="conv_7x7 is not a candidate operation"):
        operation_cost("conv_7x7", C, SIDE, 1)


def test_costs_of_a_broad_supernet():
    plan = broad_plan(16, 3, 2, widths={"normal": 2, "enhancement": 2}, stem=48)
    plans = [*plan.convolution, *plan.enhancement]
    found = supernet_costs(OPERATIONS, 2, plans=plans, side=32, partial_channels=1)
    column = OPERATIONS.index("sep_conv_3x3")
    # Of the first edge: a broad cell, a deep one, a broad one, and enhancement cells.
    places = {"normal": [(32, 16, 2), (32, 16, 1), (64, 8, 2)], "enhancement": [(64, 8, 1)] * 2}
    for kind, cells in places.items():
        wanted = [operation_cost("sep_conv_3x3", *place) for place in cells]
        assert [cell[0][column] for cell in found[kind]] == wanted


def test_costs_of_all_cells():
    plans = cell_plans(16, 8, {"normal": 2, "reduce": 2}, stem=48, stem_before=48)
    found = supernet_costs(OPERATIONS, 2, plans=plans, side=32, partial_channels=4)
    assert [len(found[kind]) for kind in ("normal", "reduce")] == [6, 2]
    column = OPERATIONS.index("sep_conv_3x3")
    # Widths 16, 32 and 64, of which operations see a quarter.
    sizes = [(4, 32), (4, 32), (8, 16), (8, 16), (16, 8), (16, 8)]
    for cell, (channels, side) in zip(found["normal"], sizes, strict=True):
        assert [edge[column] for edge in cell] == [
            operation_cost("sep_conv_3x3", channels, side, 1)
        ] * 5
    for cell, (channels, side) in zip(found["reduce"], [(8, 16), (16, 8)], strict=True):
        strides = [2, 2, 2, 2, 1]  # the last edge leaves an intermediate node
        assert [edge[column] for edge in cell] == [
            operation_cost("sep_conv_3x3", channels, side, stride) for stride in strides
        ]
