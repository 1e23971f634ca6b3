"""Proxies of the gradient of the loss, on a linear classifier whose gradient is typed out."""

import pytest
import torch
from tiny_networks import flat, linear, pixels
from torch import nn

from ltnas.proxies.saliency import grad_norm, snip

WEIGHT = [[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]]
BATCH = pixels([1, 2, -1], [0.5, -1, 3], labels=[0, 1])


def gradient():
    """(1 / B) sum over images of (p - y) x^T, of softmax p and one-hot y."""
    x, weight = BATCH.images.flatten(1), torch.tensor(WEIGHT)
    errors = (x @ weight.T).softmax(1) - torch.eye(2)
    return errors.T @ x / 2


def test_norm_of_a_linear_classifier():
    assert grad_norm(flat(linear(*WEIGHT)), BATCH, 0) == pytest.approx(gradient().norm().item())


def test_snip_of_a_linear_classifier():
    expected = (torch.tensor(WEIGHT) * gradient()).abs().sum().item()
    assert snip(flat(linear(*WEIGHT)), BATCH, 0) == pytest.approx(expected)


def test_layers_are_added_and_biases_left_out():
    # The first layer is the identity, so that its gradient is W^T (p - y) x^T.
    first, last = linear([1, 0, 0], [0, 1, 0], [0, 0, 1]), linear(*WEIGHT)
    last.bias = nn.Parameter(torch.zeros(2))
    of_first = torch.tensor(WEIGHT).T @ gradient()
    expected = of_first.norm() + gradient().norm()
    assert grad_norm(flat(first, last), BATCH, 0) == pytest.approx(expected.item())
    diagonal = of_first.diagonal().abs().sum() + (torch.tensor(WEIGHT) * gradient()).abs().sum()
    assert snip(flat(first, last), BATCH, 0) == pytest.approx(diagonal.item())
