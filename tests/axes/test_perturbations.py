"""Perturbed mixing weights: their reach, their range, and gradient ascent on a known loss."""

import pytest
import torch

from ltnas import config as c
from ltnas.axes.perturbations import build_perturbation, within_range

EDGES, OPERATIONS = 5, 4
CONSTANT = c.RandomPerturbation(first_epsilon=0.1, epsilon=0.1)


def mixing(seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, EDGES, OPERATIONS, generator=generator, dtype=torch.float64)
    return dict(zip(("normal", "reduce"), logits.softmax(-1), strict=True))


def everywhere(weights):
    return {kind: torch.ones_like(values) for kind, values in weights.items()}


def perturb(config, weights, loss=None, existing=None, sums_to_one=True, seed=0):
    module = build_perturbation(config, EDGES, OPERATIONS, sums_to_one)
    module.draw(torch.Generator().manual_seed(seed))
    return module(weights, existing or everywhere(weights), loss, list)


def linear(slopes):
    """A loss whose gradient is the same at all weights."""
    return lambda weights: sum((weights[kind] * slopes[kind]).sum() for kind in weights)


def test_epsilon_grows_linearly_from_003_towards_03():
    module = build_perturbation(c.RandomPerturbation(), EDGES, OPERATIONS, True)
    found = []
    for epoch in range(50):
        module.set_epoch(epoch, 50)
        found.append(module.details()["perturbation"])
    assert found == pytest.approx([0.03 + 0.27 * epoch / 50 for epoch in range(50)], abs=1e-7)


def test_the_range_of_weights():
    weights = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])
    change = torch.tensor([[0.3, -0.3, -0.3], [0.2, -0.4, 0.2], [-0.3, -0.3, -0.8]])
    # The first row sums to 1 as it is, the second is divided by 1.1, and nothing is left of the
    # third, which keeps its weights.
    expected = torch.tensor([[0.8, 0.2, 0.0], [0.4 / 1.1, 0, 0.7 / 1.1], [0.1, 0.2, 0.7]])
    torch.testing.assert_close(within_range(weights, change, True), expected)
    gates = within_range(torch.tensor([[0.9, 0.1]]), torch.tensor([[0.3, -0.3]]), False)
    assert gates.tolist() == [[1.0, 0.0]]


def test_gates_move_by_uniform_noise_of_at_most_epsilon():
    weights = {"normal": torch.full((EDGES, OPERATIONS), 0.5)}
    changes = torch.stack(
        [perturb(CONSTANT, weights, sums_to_one=False, seed=s)["normal"] - 0.5 for s in range(500)]
    )
    assert changes.abs().max() <= 0.1 + 1e-6
    # 10,000 uniform variables: mean 0, variance 0.1 ** 2 / 3
    assert abs(float(changes.mean())) < 0.002
    assert float(changes.var()) == pytest.approx(0.1**2 / 3, rel=0.05)


@pytest.mark.parametrize("config", [CONSTANT, c.AdversarialPerturbation(0.1, 0.1)])
def test_weights_that_sum_to_one_still_do_and_masked_ones_stay_zero(config):
    weights, existing = mixing(), everywhere(mixing())
    existing["normal"][0, 1] = weights["normal"][0, 1] = 0.0
    loss = linear({kind: torch.randn_like(values) for kind, values in weights.items()})
    found = perturb(config, weights, loss, existing)
    assert float(found["normal"][0, 1]) == 0.0
    for kind, values in found.items():
        assert (values >= 0).all()
        assert not values.equal(weights[kind])
        if kind == "reduce":
            torch.testing.assert_close(values.sum(-1), torch.ones(EDGES, dtype=values.dtype))


def test_noise_is_that_of_the_generator():
    first, again, other = (perturb(CONSTANT, mixing(), seed=seed) for seed in (3, 3, 4))
    assert first["normal"].equal(again["normal"])
    assert not first["normal"].equal(other["normal"])
    assert not first["normal"].equal(first["reduce"])


@pytest.mark.parametrize("kind", [c.RandomPerturbation, c.AdversarialPerturbation])
def test_no_epsilon_is_no_perturbation_to_the_bit(kind):
    weights = {name: values.float() for name, values in mixing().items()}
    loss = linear({name: torch.ones_like(values) for name, values in weights.items()})
    found = perturb(kind(first_epsilon=0.0, epsilon=0.0), weights, loss)
    assert all(found[name].equal(values) for name, values in weights.items())


def test_ascent_reaches_the_corner_of_gates_with_the_largest_loss():
    """The sign of the slope alone counts, and seven steps of 2/7 epsilon reach any corner."""
    weights = {"normal": torch.full((EDGES, OPERATIONS), 0.5)}
    slopes = {"normal": torch.randn(EDGES, OPERATIONS, generator=torch.Generator().manual_seed(1))}
    config = c.AdversarialPerturbation(first_epsilon=0.1, epsilon=0.1)
    found = perturb(config, weights, linear(slopes), sums_to_one=False)
    torch.testing.assert_close(found["normal"], 0.5 + 0.1 * slopes["normal"].sign())


def test_ascent_is_that_of_a_plain_loop():
    weights = {"normal": mixing()["normal"]}
    target = mixing(7)["normal"]

    def loss(found):
        return -((found["normal"] - target) ** 2).sum()

    config = c.AdversarialPerturbation(first_epsilon=0.2, epsilon=0.2, steps=3)
    module = build_perturbation(config, EDGES, OPERATIONS, True).double()
    module.draw(torch.Generator().manual_seed(0))

    def projected(point):
        moved = (weights["normal"] + (point - weights["normal"]).clamp(-0.2, 0.2)).clamp(min=0)
        return moved / moved.sum(-1, keepdim=True)

    point = projected(weights["normal"] + 0.2 * module.noise("normal"))
    for _ in range(3):
        slope = -2 * (point - target)
        point = projected(point + 2 * 0.2 / 3 * slope.sign())
    found = module(weights, everywhere(weights), loss, list)["normal"]
    kept = float(loss({"normal": point})) >= float(loss(weights))
    torch.testing.assert_close(found, point if kept else weights["normal"])


def test_a_change_that_lowers_the_loss_is_discarded():
    weights = {"normal": torch.full((EDGES, OPERATIONS), 0.5)}

    def loss(found):
        return -((found["normal"] - 0.5) ** 2).sum()  # largest where the weights already are

    config = c.AdversarialPerturbation(first_epsilon=0.1, epsilon=0.1, steps=1)
    assert perturb(config, weights, loss, sums_to_one=False)["normal"].equal(weights["normal"])


def test_gradients_are_averaged_over_ranks():
    """Two ranks with opposite losses: the average decides."""
    weights = {"normal": torch.full((EDGES, OPERATIONS), 0.5)}
    module = build_perturbation(
        c.AdversarialPerturbation(first_epsilon=0.1, epsilon=0.1), EDGES, OPERATIONS, False
    )
    module.draw(torch.Generator().manual_seed(0))
    slopes = {"normal": torch.ones(EDGES, OPERATIONS)}

    def average(tensors):
        return [-2 * tensor for tensor in tensors]

    found = module(weights, everywhere(weights), linear(slopes), average)
    torch.testing.assert_close(found["normal"], torch.full((EDGES, OPERATIONS), 0.4))
