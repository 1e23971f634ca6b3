"""GraSP against the whole Hessian of a small classifier."""

import pytest
import torch
import torch.nn.functional as F
from tiny_networks import cells, flat, linear, pixels, random_batch
from torch import nn

from ltnas.proxies.grasp import IMAGES, grasp

BATCH = pixels([1, 2, -1], [0.5, -1, 3], labels=[0, 1])
FIRST, SECOND = [[1.0, -0.5, 0.25], [0.5, 0.75, -1.0]], [[0.5, -1.0], [1.0, 0.25]]


def test_against_the_hessian():
    def loss(theta):
        first, second = theta[:6].view(2, 3), theta[6:].view(2, 2)
        logits = F.relu(BATCH.images.flatten(1) @ first.T) @ second.T
        return F.cross_entropy(logits, BATCH.labels)

    theta = torch.cat([torch.tensor(rows).flatten() for rows in (FIRST, SECOND)])
    gradient = torch.func.grad(loss)(theta)
    expected = -(theta * (torch.func.hessian(loss)(theta) @ gradient)).sum()
    network = flat(linear(*FIRST), nn.ReLU(), linear(*SECOND))
    assert grasp(network, BATCH, 0) == pytest.approx(expected.item(), rel=1e-5)


def test_cells_have_second_derivatives_and_only_the_first_images_count():
    batch, network = random_batch(IMAGES + 4), cells()
    score = grasp(network, batch, 0)
    assert score == grasp(network, batch.first(IMAGES), 0)
    assert abs(score) > 0
