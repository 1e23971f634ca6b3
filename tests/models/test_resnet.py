"""Residual networks: published parameter counts, and the equations of a block."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from ltnas.models.cost import multiply_accumulates, parameter_counts
from ltnas.models.resnet import Block, ResNet


@pytest.mark.parametrize(
    ("depth", "width", "parameters"),
    [(20, 16, 269_722), (32, 16, 464_154), (44, 16, 658_586), (56, 16, 853_018)],
)
def test_parameters_are_those_of_option_a(depth, width, parameters):
    # He et al. 2016, table 6: 0.27, 0.46, 0.66 and 0.85 million
    assert parameter_counts(ResNet(depth, width, 10))["parameters"] == parameters


def test_the_wide_network_of_some_papers_has_sixteen_times_as_many():
    assert round(parameter_counts(ResNet(32, 64, 10))["parameters"] / 1e6, 2) == 7.39


def test_multiply_accumulates_of_resnet_32():
    assert round(multiply_accumulates(ResNet(32, 16, 10), 32) / 1e6) == 69


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(4, 4, 1), (4, 8, 2)])
def test_a_block_is_its_equations(inputs, outputs, stride):
    torch.manual_seed(0)
    block, x = Block(inputs, outputs, stride).double(), torch.randn(3, inputs, 8, 8).double()

    def normalised(value):
        centred = value - value.mean((0, 2, 3), keepdim=True)
        return centred / (value.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()

    inner = normalised(F.conv2d(x, block.conv1.weight, stride=stride, padding=1)).clamp_min(0)
    residual = normalised(F.conv2d(inner, block.conv2.weight, padding=1))
    shortcut = torch.zeros_like(residual)
    before = (outputs - inputs) // 2
    shortcut[:, before : before + inputs] = x[:, :, ::stride, ::stride]
    assert_close(block(x), (residual + shortcut).clamp_min(0), rtol=1e-10, atol=1e-11)


def test_stages_halve_the_size_and_double_the_width():
    model, shapes = ResNet(14, 4, 10), []
    for block in model.blocks:
        block.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape[1:]))
    model(torch.randn(2, 3, 16, 16))
    assert shapes == [(4, 16, 16)] * 2 + [(8, 8, 8)] * 2 + [(16, 4, 4)] * 2
