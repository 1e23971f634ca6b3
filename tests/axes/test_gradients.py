"""Architecture gradients against the paper's toy and against automatic differentiation."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from ltnas import config as c
from ltnas.axes.gradients import WeightStep, architecture_gradient, first_order, second_order

PLAIN = {"momentum": 0.0, "weight_decay": 0.0, "velocity": {}, "average": list}


def toy_training(weights, architecture):
    """DARTS, figure 2: L_train = w^2 - 2 w alpha + alpha^2."""
    w, alpha = weights["w"], architecture["alpha"]
    return w**2 - 2 * w * alpha + alpha**2


def toy_validation(weights, architecture):
    """DARTS, figure 2: L_val = alpha w - 2 alpha + 1."""
    return architecture["alpha"] * weights["w"] - 2 * architecture["alpha"] + 1


def alternate(rate, steps=600, learning_rate=0.05):
    """Alternate both updates from (alpha, w) = (2, -2)."""
    w = torch.tensor(-2.0, dtype=torch.float64)
    alpha = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    for _ in range(steps):
        found = second_order(
            toy_training,
            toy_validation,
            {"w": w},
            {"alpha": alpha},
            rate=rate,
            perturbation=0.01,
            **PLAIN,
        )
        alpha = (alpha - learning_rate * found["alpha"]).detach().requires_grad_()
        w = w - learning_rate * 2 * (w - alpha.detach())
    return float(alpha.detach()), float(w)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 0.5, 1.0])
def test_toy_ends_at_its_fixed_point(rate):
    alpha, w = alternate(rate)
    assert alpha == pytest.approx(2 / (1 + 2 * rate), abs=1e-9)
    assert w == pytest.approx(2 / (1 + 2 * rate), abs=1e-9)


def test_first_order_is_second_order_without_a_virtual_step():
    weights = {"w": torch.tensor(-2.0, dtype=torch.float64)}
    architecture = {"alpha": torch.tensor(2.0, dtype=torch.float64, requires_grad=True)}
    first = first_order(toy_validation, weights, architecture, list)
    second = second_order(
        toy_training, toy_validation, weights, architecture, rate=0.0, perturbation=0.01, **PLAIN
    )
    assert float(first["alpha"]) == float(second["alpha"]) == -4.0


def smooth_problem():
    """A two-layer net whose hidden units are gated by the architecture; smooth, in float64."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 7), nn.Softplus(), nn.Linear(7, 3)).double()
    weights = {name: value.detach() for name, value in net.named_parameters()}
    architecture = {"gate": torch.randn(7, dtype=torch.float64, requires_grad=True)}
    inputs = {name: torch.randn(16, 5, dtype=torch.float64) for name in ("train", "val")}
    labels = {name: torch.randint(3, (16,)) for name in ("train", "val")}

    def loss_on(part):
        def loss(weights, architecture):
            gated = {**weights, "2.weight": weights["2.weight"] * architecture["gate"].sigmoid()}
            logits = functional_call(net, gated, (inputs[part],))
            return nn.functional.cross_entropy(logits, labels[part])

        return loss

    return loss_on("train"), loss_on("val"), weights, architecture


def exact(training, validation, weights, architecture, rate, momentum, decay, velocity):
    """Double backward through the virtual step of SGD."""
    leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
    gradients = torch.autograd.grad(
        training(leaves, architecture), list(leaves.values()), create_graph=True
    )
    virtual = {
        name: leaf - rate * (gradient + decay * leaf + momentum * velocity.get(name, 0.0))
        for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True)
    }
    return torch.autograd.grad(validation(virtual, architecture), architecture["gate"])[0]


@pytest.mark.parametrize(("perturbation", "tolerance"), [(1e-2, 1e-4), (1e-3, 1e-6)])
def test_second_order_equals_double_backward_on_a_smooth_net(perturbation, tolerance):
    training, validation, weights, architecture = smooth_problem()
    velocity = {"0.weight": torch.randn(7, 5, dtype=torch.float64)}
    settings = {"rate": 0.3, "momentum": 0.9}
    found = second_order(
        training,
        validation,
        weights,
        architecture,
        **settings,
        weight_decay=0.01,
        velocity=velocity,
        perturbation=perturbation,
        average=list,
    )["gate"]
    wanted = exact(
        training, validation, weights, architecture, decay=0.01, velocity=velocity, **settings
    )
    direct = first_order(validation, weights, architecture, list)["gate"]
    assert (found - wanted).norm() / wanted.norm() < tolerance
    assert (direct - wanted).norm() / wanted.norm() > 100 * tolerance


def test_weights_are_left_as_they_are():
    training, validation, weights, architecture = smooth_problem()
    before = {name: value.clone() for name, value in weights.items()}
    second_order(training, validation, weights, architecture, rate=0.3, perturbation=0.01, **PLAIN)
    assert all(weights[name].equal(before[name]) for name in weights)
    assert architecture["gate"].grad is None


def test_every_exchange_between_ranks_is_an_average():
    """Each of the four gradients must be averaged, or ranks would take different virtual steps."""
    training, validation, weights, architecture = smooth_problem()
    calls = []

    def average(tensors):
        calls.append(len(tensors))
        return list(tensors)

    second_order(
        training,
        validation,
        weights,
        architecture,
        **{**PLAIN, "average": average},
        rate=0.3,
        perturbation=0.01,
    )
    assert calls == [4, 5, 1, 1]


def test_values_of_the_axis_choose_the_formula():
    weights = {"w": torch.tensor(-2.0, dtype=torch.float64)}
    architecture = {"alpha": torch.tensor(2.0, dtype=torch.float64, requires_grad=True)}

    def gradient(config):
        return architecture_gradient(
            config,
            training_loss=toy_training,
            validation_loss=toy_validation,
            weights=weights,
            architecture=architecture,
            next_step=lambda: WeightStep(rate=0.5, momentum=0.0, weight_decay=0.0, velocity={}),
            average=list,
        )

    assert float(gradient(c.FirstOrder())["alpha"]) == -4.0
    # w' = w - 0.5 (2 w - 2 alpha) = 2, so that dL_val/dalpha = w' - 2, and by the chain rule
    # dw'/dalpha dL_val/dw' = 1 * alpha.
    assert float(gradient(c.SecondOrder())["alpha"]) == pytest.approx(2.0, abs=1e-9)
    with pytest.raises(TypeError, match="gradient axis"):
        gradient(c.Gradient())
