"""The tangent kernel of a linear model, and regions whose boundaries are known."""

import math

import pytest
import torch
from tiny_networks import cells, flat, linear, pixels, random_batch
from torch import nn

from ltnas.proxies.te_nas import NTK_IMAGES, te_nas_ntk, te_nas_regions


class Twice(nn.Module):
    """Two ReLUs of one state, and a third of another."""

    def forward(self, x):
        return x.relu() + x.relu() + (x + 0.0).relu()


def test_kernel_of_a_linear_model():
    # The gradient of the logits' sum is the image, once for each logit: K = 2 X X^T.
    batch = pixels([1, 0, 0], [0, 2, 0], [0, 0, 3])
    score = te_nas_ntk(flat(linear([1, 2, 3], [4, 5, 6])), batch, 0)
    assert score == pytest.approx(-math.log(9))


def test_kernel_with_correlated_images():
    # X X^T = (1 1; 1 2), whose eigenvalues are (3 +- sqrt 5) / 2.
    score = te_nas_ntk(flat(linear([1, 2, 3])), pixels([1, 0, 0], [1, 1, 0]), 0)
    assert score == pytest.approx(-math.log((3 + math.sqrt(5)) / (3 - math.sqrt(5))))


def test_a_singular_kernel_has_the_largest_condition_number():
    score = te_nas_ntk(flat(linear([1, 2, 3])), pixels([1, 0, 0], [2, 0, 0]), 0)
    assert score == pytest.approx(math.log(torch.finfo(torch.float64).eps), rel=0.05)


def test_kernel_with_a_normalisation_of_fixed_statistics():
    # f = v^T (W x - m) / s: the gradients are z_i of v, and (v_k / s_k) x_i of the rows of W.
    x, v = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 1, 2]]), torch.tensor([[2.0, -1.0]])
    weight = torch.tensor([[1.0, 2, 0], [0, -1, 1]])
    y = x @ weight.T
    deviations = (y.var(0) + 1e-5).sqrt()
    z = (y - y.mean(0)) / deviations
    kernel = z @ z.T + (v / deviations).square().sum() * x @ x.T
    values = torch.linalg.eigvalsh(kernel.double())
    network = flat(linear(*weight.tolist()), nn.BatchNorm1d(2), linear(*v.tolist()))
    score = te_nas_ntk(network, pixels(*x.tolist()), 0)
    assert score == pytest.approx(-math.log(values[-1] / values[0]), rel=1e-5)


def test_cells_have_a_regular_kernel():
    assert -10 < te_nas_ntk(cells(), random_batch(4), 0) < 0


def test_only_the_first_images_have_a_kernel():
    batch, network = random_batch(NTK_IMAGES + 2), flat(linear([1.0] * 192))
    assert te_nas_ntk(network, batch, 0) == te_nas_ntk(network, batch.first(NTK_IMAGES), 0)


def test_regions_between_images():
    # The first line crosses two boundaries, the second one: 3 and 2 regions.
    batch = pixels([-1, -1, 1], [1, 1, 1], [1, -1, 1])
    assert te_nas_regions(flat(nn.ReLU()), batch, 0) == 2.5


def test_a_linear_network_has_one_region():
    assert te_nas_regions(flat(linear([1, 2, 3])), pixels([1, 2, 3], [-1, 4, 0]), 0) == 1


def test_boundaries_of_one_state_count_once():
    batch = pixels([-1, -1, 1], [1, 1, 1])
    assert te_nas_regions(flat(Twice()), batch, 0) == 1 + 2 * 2
