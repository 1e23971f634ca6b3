"""Noise of a step."""

import torch

from ltnas.axes.build import build_relaxation
from ltnas.axes.noise import Noise
from ltnas.config import Dirichlet


def counting(noise, generator):
    noise.copy_(torch.arange(noise.numel()).view_as(noise))
    noise += torch.rand((), generator=generator)


def test_a_draw_overwrites_the_same_memory_and_differs_between_kinds():
    made = Noise(("normal", "reduce"), (2, 3), counting, start=0.5).double()
    assert made("normal").eq(0.5).all()
    before = made("normal").data_ptr()
    made.draw(torch.Generator().manual_seed(0))
    assert made("normal").data_ptr() == before
    first, second = torch.rand(2, generator=torch.Generator().manual_seed(0)).double()
    wanted = torch.arange(6.0).view(2, 3)
    torch.testing.assert_close(made("normal"), (wanted + first).double())
    torch.testing.assert_close(made("reduce"), (wanted + second).double())
    assert made.state_dict() == {}


def test_samples_of_a_dirichlet_distribution_are_valid_before_the_first_draw():
    made = build_relaxation(Dirichlet(), 5, 8)
    weights = made({"normal": torch.zeros(5, 8)})["normal"]
    torch.testing.assert_close(weights, torch.full((5, 8), 1 / 8))
