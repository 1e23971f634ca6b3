"""ZiCo: numbers by hand, and a linear classifier."""

import math

import pytest
import torch
from tiny_networks import flat, linear, pixels

from ltnas.proxies.zico import ratio, zico

WEIGHT = [[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]]


def test_mean_over_deviation_without_what_does_not_vary():
    # (|1| + |-3|) / 2 = 2 over a deviation of 2, 1.5 over 0.5; the last weight does not vary.
    assert ratio(torch.tensor([[1.0, 1.0, 5.0], [-3.0, 2.0, 5.0]])).item() == 1 + 3


def test_linear_classifier():
    batch = pixels([1, 2, -1], [0.5, -1, 3], labels=[0, 1])
    x = batch.images.flatten(1)
    errors = (x @ torch.tensor(WEIGHT).T).softmax(1) - torch.eye(2)
    one, two = (torch.outer(error, image) for error, image in zip(errors, x, strict=True))
    expected = ((one.abs() + two.abs()) / (one - two).abs()).sum().log()
    assert zico(flat(linear(*WEIGHT)), batch, 0) == pytest.approx(expected.item(), rel=1e-5)


def test_layers_whose_gradients_do_not_vary_are_left_out():
    # Both halves are the same image.
    batch = pixels([1, 2, -1], [1, 2, -1])
    assert zico(flat(linear(*WEIGHT)), batch, 0) == 0
    assert math.isfinite(zico(flat(linear(*WEIGHT)), pixels([1, 2, -1], [1, 2, 1]), 0))
