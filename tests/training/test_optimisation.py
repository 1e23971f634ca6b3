"""Weight updates: sharpness-aware ones and averages, against their equations."""

import copy

import pytest
import torch
from torch import nn

from ltnas.config import ArchitectureOptimiser, WeightOptimiser
from ltnas.training.optimisation import (
    architecture_optimiser,
    average_of,
    descend,
    place_counters,
    rate_groups,
    rate_of,
    set_rate,
    sharpness_aware_descend,
    weight_optimiser,
)

PLAIN = WeightOptimiser(0.1, momentum=0.0, weight_decay=0.0, clip=None)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()


def loss_of(model, x):
    return model(x).square().mean()


@pytest.mark.parametrize("clip", [None, 0.01])
def test_a_sharpness_aware_step_is_that_at_the_climbed_weights(model, clip):
    x, radius = torch.randn(8, 3).double(), 0.3
    weights = list(model.parameters())
    before = [weight.detach().clone() for weight in weights]
    uphill = torch.autograd.grad(loss_of(model, x), weights)
    norm = torch.sqrt(sum(gradient.square().sum() for gradient in uphill))
    for weight, gradient in zip(weights, uphill, strict=True):
        weight.data += radius * gradient / norm
    there = torch.autograd.grad(loss_of(model, x), weights)
    for weight, old in zip(weights, before, strict=True):
        weight.data.copy_(old)
    size = torch.sqrt(sum(gradient.square().sum() for gradient in there))
    scale = 1.0 if clip is None else min(1.0, clip / float(size))

    optimiser = weight_optimiser(weights, PLAIN)
    again = lambda: loss_of(model, x)  # noqa: E731
    sharpness_aware_descend(loss_of(model, x), again, [weights], optimiser, clip, radius)
    for weight, old, gradient in zip(weights, before, there, strict=True):
        torch.testing.assert_close(weight.data, old - 0.1 * scale * gradient, rtol=1e-5, atol=1e-9)
        assert weight.grad is None


def test_a_radius_of_nothing_is_plain_descent(model):
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()
    other.load_state_dict(model.state_dict())
    x = torch.randn(8, 3).double()
    for network, radius in ((model, None), (other, 0.0)):
        weights = list(network.parameters())
        optimiser = weight_optimiser(weights, PLAIN)
        if radius is None:
            descend(loss_of(network, x), [weights], optimiser, None)
        else:
            again = lambda: loss_of(other, x)  # noqa: E731
            sharpness_aware_descend(loss_of(network, x), again, [weights], optimiser, None, radius)
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_an_average_follows_weights_and_statistics(model):
    average = average_of(model, 0.9)
    x = torch.randn(8, 3).double()
    expected = None
    for step in range(4):
        for weight in model.parameters():
            weight.data += step + 1
        model(x)
        average.update_parameters(model)
        now = {name: value.clone() for name, value in model.state_dict().items()}
        expected = expected or now  # the first is taken as it is
        for name, value in now.items():
            if value.is_floating_point():
                expected[name] = 0.9 * expected[name] + 0.1 * value
    found = average.module.state_dict()
    for name, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(found[name], value)
            assert not torch.equal(found[name], model.state_dict()[name])


def test_nesterov_looks_ahead():
    (group,) = weight_optimiser(
        [nn.Parameter(torch.zeros(1))], WeightOptimiser(nesterov=True)
    ).param_groups
    assert group["nesterov"]


@pytest.mark.parametrize("recorded", [False, True])
def test_some_weights_have_a_multiple_of_the_rate(recorded):
    names = ("classifier.linear.weight", "classifier.factors", "classifier.linear.bias")
    weights = {name: nn.Parameter(torch.zeros(2)) for name in names}
    groups = rate_groups(weights, {"classifier.factors": 5.0})
    assert [len(group["params"]) for group in groups] == [2, 1]
    optimiser = weight_optimiser(groups, PLAIN, recorded)
    for rate in (0.125, 0.5):  # a restored optimiser keeps the multiple, too
        state = copy.deepcopy(optimiser.state_dict())
        optimiser = weight_optimiser(rate_groups(weights, {"classifier.factors": 5.0}), PLAIN)
        optimiser.load_state_dict(state)
        set_rate(optimiser, rate)
        before = {name: weight.detach().clone() for name, weight in weights.items()}
        for weight in weights.values():
            weight.grad = torch.ones(2)
        optimiser.step()
        moved = {name: float((before[name] - weights[name].detach())[0]) for name in names}
        assert moved == pytest.approx(dict(zip(names, (rate, 5 * rate, rate), strict=True)))


def test_rates_of_recorded_steps_are_filled_in_place():
    weights = {"a": nn.Parameter(torch.zeros(2)), "b": nn.Parameter(torch.zeros(2))}
    optimiser = weight_optimiser(rate_groups(weights, {"b": 5.0}), PLAIN, capturable=True)
    set_rate(optimiser, 0.125)
    places = [group["lr"] for group in optimiser.param_groups]
    set_rate(optimiser, 0.5)
    assert [float(rate) for rate in places] == [0.5, 2.5]


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("build", ["weights", "architecture"])
def test_a_checkpoint_of_either_kind_of_steps_goes_on_as_the_other(build, saved):
    """Recorded and eager steps have other optimisers; a checkpoint brings the one that saved it."""

    def optimiser(recorded):
        torch.manual_seed(0)
        weights = [nn.Parameter(torch.randn(3))]
        if build == "weights":
            return weights, weight_optimiser(weights, WeightOptimiser(), recorded)
        return weights, architecture_optimiser(weights, ArchitectureOptimiser(), recorded)

    def step(weights, chosen):
        set_rate(chosen, 0.125)
        place_counters(chosen)
        weights[0].grad = torch.ones(3)
        chosen.step()

    before, first = optimiser(saved)
    step(before, first)
    after, second = optimiser(not saved)
    after[0].data.copy_(before[0].data)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    step(before, first)
    step(after, second)
    torch.testing.assert_close(after[0], before[0])
    assert rate_of(second) == 0.125
    assert isinstance(second.param_groups[0]["lr"], torch.Tensor) is not saved
    assert second.param_groups[0]["fused"] is (None if saved else True)
