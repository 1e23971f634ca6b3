"""The largest eigenvalue of the architecture's Hessian."""

import math
from functools import partial

import pytest
import torch
from modules import batches, masked_batches, search_module, state

from ltnas import config as c
from ltnas.diagnostics.curvature import largest_eigenvalue
from ltnas.models.operation_kernels import run_operation
from ltnas.models.operations import operation
from ltnas.models.rectified import RectifiedConvNorm
from ltnas.training.curvature import measure_curvature


def quadratic(eigenvalues, seed=0):
    """Return the gradient of a quadratic form with these eigenvalues in a random basis."""
    size = len(eigenvalues)
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64, generator=generator))
    matrix = basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T
    return lambda at: matrix @ at.double()


@pytest.mark.parametrize(
    ("eigenvalues", "largest"),
    [
        ([3.0, -5.0, 1.0, 0.0], 3.0),  # the largest, not the one of largest size
        ([-1.0, -2.0, -3.0], -1.0),
        ([2.0] * 5, 2.0),
        ([7.0], 7.0),
        ([0.0, 0.0], 0.0),
    ],
)
def test_eigenvalue_of_a_quadratic_form(eigenvalues, largest):
    at = torch.randn(len(eigenvalues), dtype=torch.float64)
    computed = largest_eigenvalue(quadratic(eigenvalues), at, seed=1)
    assert computed == pytest.approx(largest, abs=1e-9)


def test_gradients_that_are_not_finite_give_nan():
    at = torch.zeros(3, dtype=torch.float64)
    assert math.isnan(largest_eigenvalue(lambda point: point * math.nan, at, seed=0))


def test_both_gradients_of_a_difference_draw_the_same_noise():
    plain, at = quadratic([3.0, -5.0, 1.0]), torch.zeros(3, dtype=torch.float64)
    before = torch.get_rng_state()
    computed = largest_eigenvalue(lambda point: plain(point) + torch.randn(3).double(), at, seed=1)
    assert computed == pytest.approx(3.0, abs=1e-6)
    assert torch.equal(torch.get_rng_state(), before)


def test_few_iterations_are_enough_for_many_eigenvalues():
    eigenvalues = [0.5, *torch.linspace(-0.1, 0.2, 223).tolist()]
    computed = largest_eigenvalue(quadratic(eigenvalues), torch.zeros(224), seed=0)
    assert computed == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize(
    "values",
    [
        {"relaxation": c.Sigmoid()},
        {"relaxation": c.Softmax(), "objective": c.LdamDrw()},
        {"relaxation": c.Sigmoid(), "objective": c.BarlowTwins(hidden=8, outputs=6)},
        {"relaxation": c.Sigmoid(), "objective": c.MaskedReconstruction(decoder_channels=8)},
    ],
    ids=["sigmoid", "ldam", "barlow twins", "masked reconstruction"],
)
def test_eigenvalue_of_a_supernet_is_that_of_its_whole_hessian(values):
    """The eigenvalue is computed in float64, although the search runs in float32."""
    module = search_module(dtype=torch.float32, nodes=1, **values)
    masked = isinstance(values.get("objective"), c.MaskedReconstruction)
    batch = (
        masked_batches(dtype=torch.float32, count=16)
        if masked
        else batches(views=2, dtype=torch.float32, count=16)
    )["architecture"]
    before = state(module)
    module.learner.train()
    module.seed = 0
    computed = measure_curvature(module.learner, batch, 0)
    assert all(value.equal(before[name]) for name, value in state(module).items())

    module.learner.double()
    batch = batch.first(8).double()
    named = module.network.architecture_parameters()
    sizes = [value.numel() for value in named.values()]

    def gradient(at):
        with torch.no_grad():
            for value, part in zip(named.values(), at.split(sizes), strict=True):
                value.copy_(part.view_as(value))
        loss = module.learner(batch, True).objective
        grads = torch.autograd.grad(loss, list(named.values()))
        return torch.cat([grad.flatten() for grad in grads])

    at = torch.cat([value.detach().flatten() for value in named.values()])
    columns = []
    for unit in 1e-6 * torch.eye(len(at), dtype=at.dtype):
        columns.append((gradient(at + unit) - gradient(at - unit)) / 2e-6)
    hessian = torch.stack(columns)
    torch.testing.assert_close(hessian, hessian.T, rtol=1e-3, atol=1e-7)
    # Lanczos iteration uses a space of only 12 dimensions.
    assert computed == pytest.approx(float(torch.linalg.eigvalsh(hessian).amax()), rel=0.02)


def supernet(x):
    batch = batches(dtype=torch.float32, count=2)["architecture"]
    return search_module(dtype=torch.float32).learner(batch._replace(views=(x,))).objective


TWICE = {
    "cell": (3, lambda: supernet),
    "operation": (4, lambda: partial(run_operation, operation("sep_conv_3x3", 4, 1, affine=True))),
    "rectified": (4, lambda: RectifiedConvNorm(4, 4, affine=True)),
}


@pytest.mark.parametrize("kind", TWICE)
def test_kernels_refuse_to_be_differentiated_twice(kind):
    """They must not return zeros silently."""
    channels, make = TWICE[kind]
    x = torch.randn(2, channels, 8, 8, requires_grad=True)
    (grad,) = torch.autograd.grad(make()(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()
