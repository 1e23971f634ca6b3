"""Explanations of a classification."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ltnas.data.augment import Normalisation
from ltnas.training.explanations import (
    Pixels,
    ascend_by_signs,
    attacked_loss,
    importance,
    slope,
)

MEAN, DEVIATION = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
PIXELS = Pixels(*(torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION)))


def problem():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 6), nn.Softplus(), nn.Linear(6, 3))
    pixels = torch.rand(5, 3, 4, 4)
    return net, pixels, Normalisation(MEAN, DEVIATION)(pixels), torch.randint(3, (5,))


def test_the_loss_is_that_of_changed_pixels():
    net, pixels, images, labels = problem()
    change = torch.randn_like(pixels) / 10
    changed = Normalisation(MEAN, DEVIATION)(pixels + change)
    wanted = F.cross_entropy(net(changed), labels, reduction="sum")
    torch.testing.assert_close(attacked_loss(net, PIXELS, images, labels)(change), wanted)


def test_the_slope_is_the_gradient_of_every_image_by_itself():
    net, pixels, images, labels = problem()
    found = slope(attacked_loss(net, PIXELS, images, labels), torch.zeros_like(pixels))
    for index in range(len(images)):
        one = slice(index, index + 1)
        alone = attacked_loss(net, PIXELS, images[one], labels[one])
        torch.testing.assert_close(slope(alone, torch.zeros_like(pixels[one])), found[one])


def test_importance_is_relative_to_the_largest_change_of_an_image():
    change = torch.tensor([[[[0.5, -2.0]]], [[[0.0, 0.1]]], [[[0.0, 0.0]]]])
    assert importance(change).flatten(1).tolist() == [[0.25, 1.0], [0.0, 1.0], [0.0, 0.0]]
    torch.testing.assert_close(importance(7 * change), importance(change))


def test_the_scale_of_an_image_counts_as_a_constant():
    change = torch.tensor([[[[0.5, -2.0]]]], requires_grad=True)
    (found,) = torch.autograd.grad(importance(change).sum(), [change])
    assert found.flatten().tolist() == [0.5, -0.5]


@pytest.mark.parametrize("steps", [1, 7])
def test_an_attack_raises_the_loss_and_stays_within_its_bounds(steps):
    net, pixels, images, labels = problem()
    loss, radius = attacked_loss(net, PIXELS, images, labels), 8 / 255
    start = (2 * torch.rand_like(pixels) - 1) * radius
    change = ascend_by_signs(
        loss,
        start,
        lambda moved: PIXELS.allowed(images, moved, radius),
        step=2 / 255,
        steps=steps,
    )
    assert change.abs().max() <= radius + 1e-6
    assert (pixels + change).min() >= -1e-6
    assert (pixels + change).max() <= 1 + 1e-6
    assert loss(change) > loss(PIXELS.allowed(images, start, radius))
    if steps == 1:
        wanted = start + 2 / 255 * slope(loss, PIXELS.allowed(images, start, radius)).sign()
        inside = (pixels > 0.1) & (pixels < 0.9) & (wanted.abs() < radius)
        torch.testing.assert_close(change[inside], wanted[inside], rtol=1e-4, atol=1e-6)
