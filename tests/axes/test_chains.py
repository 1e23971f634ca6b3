"""Gradients through chains of virtual steps, against automatic differentiation and the paper's toy.

`exact` differentiates the unrolled program itself: every virtual step is a differentiable function
of the architecture.
"""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from ltnas.axes.chains import Pull, Stage, WeightStep, chain_gradient

PLAIN = {"momentum": 0.0, "weight_decay": 0.0, "velocity": {}}


def second_order(
    training, validation, weights, architecture, *, perturbation=0.01, average=list, **step
):
    """Second-order DARTS as a chain of one stage."""
    stage = Stage("w", lambda values, a: training(values["w"], a), WeightStep(**PLAIN | step))
    return chain_gradient(
        [stage],
        lambda values, a: validation(values["w"], a),
        {"w": weights},
        architecture,
        perturbation=perturbation,
        average=average,
    )


def first_order(validation, weights, architecture):
    return chain_gradient(
        (),
        lambda values, a: validation(values["w"], a),
        {"w": weights},
        architecture,
        perturbation=0.0,
        average=list,
    )


def exact(stages, outer, values, architecture):
    """Automatic differentiation through all stages."""
    for stage in stages:
        start, step = values[stage.moves], stage.step
        inputs = {name: value.clone() for name, value in start.items()}
        if not next(iter(inputs.values())).requires_grad:
            inputs = {name: value.requires_grad_() for name, value in inputs.items()}
        slopes = torch.autograd.grad(
            stage.loss(values | {stage.moves: inputs}, architecture),
            list(inputs.values()),
            create_graph=True,
        )
        moved = {
            name: value
            - step.rate
            * (slope + step.weight_decay * value + step.momentum * step.velocity.get(name, 0.0))
            for (name, value), slope in zip(inputs.items(), slopes, strict=True)
        }
        if step.frozen:
            moved = {
                name: torch.where(step.frozen[name], inputs[name], value)
                if name in step.frozen
                else value
                for name, value in moved.items()
            }
        if stage.pull is not None:
            strength, target = stage.pull.strength, values[stage.pull.target]
            moved |= {
                name: (moved[name] + strength * target[name]) / (1 + strength)
                for name in stage.pull.names
            }
        values = values | {stage.moves: moved}
    loss = outer(values, architecture)
    names = list(architecture)
    return dict(zip(names, torch.autograd.grad(loss, list(architecture.values())), strict=True))


def difference(found, wanted):
    """Relative error over all architecture parameters together."""
    one, other = (torch.cat([part[name].flatten() for name in wanted]) for part in (found, wanted))
    return float((one - other).norm() / other.norm())


class Nets:
    """Small smooth networks in float64 whose hidden units are gated by the architecture."""

    def __init__(self):
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(5, 7), nn.Softplus(), nn.Linear(7, 3)).double()
        self.architecture = {"gate": torch.randn(7, dtype=torch.float64, requires_grad=True)}

    def weights(self):
        return {name: torch.randn_like(value) / 2 for name, value in self.net.named_parameters()}

    def images(self):
        return torch.randn(16, 5, dtype=torch.float64), torch.randint(3, (16,))

    def logits(self, weights, architecture, images):
        gated = {**weights, "2.weight": weights["2.weight"] * architecture["gate"].sigmoid()}
        return functional_call(self.net, gated, (images,))

    def plain_logits(self, weights, images):
        """A network without architecture parameters."""
        return functional_call(self.net, weights, (images,))

    def loss(self, variable, architectural=True):
        images, labels = self.images()

        def loss(values, architecture):
            weights = values[variable]
            if architectural:
                logits = self.logits(weights, architecture, images)
            else:
                logits = self.plain_logits(weights, images)
            return nn.functional.cross_entropy(logits, labels)

        return loss


def step(nets, weights, rate=0.3):
    """A step with momentum and weight decay."""
    velocity = {"0.weight": torch.randn_like(weights["0.weight"])}
    return WeightStep(rate=rate, momentum=0.9, weight_decay=0.01, velocity=velocity)


def two_levels(rate=0.3):
    nets = Nets()
    values = {"w": nets.weights()}
    stages = [Stage("w", nets.loss("w"), step(nets, values["w"], rate))]
    return stages, nets.loss("w"), values, nets.architecture


def teaching(rate=0.3):
    """Three levels: the student learns what the moved teacher says of unlabelled images."""
    nets = Nets()
    values = {"teacher": nets.weights(), "student": nets.weights()}
    unlabelled, labelled = nets.images()[0], nets.loss("student", architectural=False)

    def student(values, architecture):
        soft = nets.logits(values["teacher"], architecture, unlabelled).softmax(1)
        logits = nets.plain_logits(values["student"], unlabelled)
        return labelled(values, architecture) + nn.functional.cross_entropy(logits, soft)

    stages = [
        Stage("teacher", nets.loss("teacher"), step(nets, values["teacher"], rate)),
        Stage("student", student, step(nets, values["student"], rate)),
    ]
    of_teacher, of_student = nets.loss("teacher"), nets.loss("student", architectural=False)

    def outer(values, architecture):
        return of_teacher(values, architecture) + 2 * of_student(values, architecture)

    return stages, outer, values, nets.architecture


def explaining(rate=0.3):
    """Four levels: an audience learns from images times an ascent step of the moved explainer."""
    nets = Nets()
    values = {"explainer": nets.weights(), "audience": nets.weights()}
    images, labels = nets.images()
    values["change"] = {"pixels": torch.zeros_like(images)}

    def attack(values, architecture):
        moved = images + values["change"]["pixels"]
        logits = nets.logits(values["explainer"], architecture, moved)
        return nn.functional.cross_entropy(logits, labels, reduction="sum")

    def audience(values, architecture):
        change = values["change"]["pixels"]
        shown = images * change.abs() / change.abs().amax(1, keepdim=True).detach()
        return nn.functional.cross_entropy(nets.plain_logits(values["audience"], shown), labels)

    stages = [
        Stage("explainer", nets.loss("explainer"), step(nets, values["explainer"], rate)),
        Stage("change", attack, WeightStep(rate=-1.0, **PLAIN)),
        Stage("audience", audience, step(nets, values["audience"], rate)),
    ]
    of_explainer, of_audience = nets.loss("explainer"), nets.loss("audience", architectural=False)

    def outer(values, architecture):
        return of_explainer(values, architecture) + of_audience(values, architecture)

    return stages, outer, values, nets.architecture


def interleaving(rate=0.3, learners=2, rounds=2):
    """Learners of one architecture that move in turn, each pulled to the one before it."""
    nets = Nets()
    values = {f"w{number}": nets.weights() for number in range(learners)}
    losses = {name: nets.loss(name) for name in values}
    steps = {name: step(nets, weights, rate) for name, weights in values.items()}
    order = list(values) * rounds
    stages = []
    for number, name in enumerate(order):
        pull = Pull(order[number - 1], 0.4, frozenset({"0.weight", "0.bias"})) if number else None
        stages.append(Stage(name, losses[name], steps[name], pull))
    parts = [nets.loss(name) for name in values]

    def outer(values, architecture):
        return sum(part(values, architecture) for part in parts)

    return stages, outer, values, nets.architecture


CHAINS = {
    "two levels": two_levels,
    "three levels": teaching,
    "four levels": explaining,
    "interleaved": interleaving,
    "interleaved, three learners": lambda: interleaving(learners=3),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_equals_differentiation_of_the_unrolled_program(name):
    stages, outer, values, architecture = CHAINS[name]()
    wanted = exact(stages, outer, values, architecture)
    found = chain_gradient(stages, outer, values, architecture, perturbation=1e-4, average=list)
    assert difference(found, wanted) < 1e-5
    # The chain is no small correction: without it the gradient is another one.
    alone = chain_gradient((), outer, values, architecture, perturbation=1e-4, average=list)
    assert difference(alone, wanted) > 1e-2


@pytest.mark.parametrize("chain", [two_levels, teaching, interleaving])
def test_rates_of_zero_give_the_first_order(chain):
    stages, outer, values, architecture = chain(rate=0.0)
    stages = [Stage(stage.moves, stage.loss, stage.step) for stage in stages]  # without pulls
    found = chain_gradient(stages, outer, values, architecture, perturbation=0.01, average=list)
    alone = chain_gradient((), outer, values, architecture, perturbation=0.01, average=list)
    assert difference(found, alone) < 1e-12


def test_frozen_elements_carry_no_derivative():
    stages, outer, values, architecture = interleaving()
    mask = torch.zeros(7, 5, dtype=torch.bool)
    mask[:4] = True
    for stage in stages:
        object.__setattr__(stage.step, "frozen", {"0.weight": mask})
    wanted = exact(stages, outer, values, architecture)
    found = chain_gradient(stages, outer, values, architecture, perturbation=1e-4, average=list)
    assert difference(found, wanted) < 1e-5


def test_depth_treats_earlier_stages_as_constants():
    stages, outer, values, architecture = interleaving()
    settings = {"perturbation": 1e-4, "average": list}
    whole = chain_gradient(stages, outer, values, architecture, **settings)
    for depth in (4, 9):
        same = chain_gradient(stages, outer, values, architecture, depth=depth, **settings)
        assert difference(same, whole) == 0
    # The same chain that begins where the constant stages end.
    reached = values
    with torch.no_grad():
        frozen = {name: value.clone() for name, value in architecture.items()}
    for stage in stages[:2]:
        moved = exact_step(stage, reached, frozen)
        reached = reached | {stage.moves: moved}
    wanted = exact(stages[2:], outer, reached, architecture)
    found = chain_gradient(stages, outer, values, architecture, depth=2, **settings)
    assert difference(found, wanted) < 1e-5
    assert difference(found, whole) > 1e-3


def exact_step(stage, values, architecture):
    """The values that a stage leaves, detached."""
    inputs = {name: value.clone().requires_grad_() for name, value in values[stage.moves].items()}
    loss = stage.loss(values | {stage.moves: inputs}, architecture)
    slopes = torch.autograd.grad(loss, list(inputs.values()))
    moved = {}
    for (name, value), slope in zip(inputs.items(), slopes, strict=True):
        velocity = stage.step.velocity.get(name, 0.0)
        whole = slope + stage.step.weight_decay * value + stage.step.momentum * velocity
        moved[name] = (value - stage.step.rate * whole).detach()
        if stage.pull is not None and name in stage.pull.names:
            strength, target = stage.pull.strength, values[stage.pull.target][name]
            moved[name] = (moved[name] + strength * target) / (1 + strength)
    return moved


def test_a_detached_explanation_gives_a_fixed_audience_no_gradient():
    """No path leads from the architecture to an audience without architecture parameters."""
    stages, _, values, architecture = explaining()
    nets = Nets()
    outer = nets.loss("audience", architectural=False)
    settings = {"perturbation": 0.01, "average": list}
    detached = [stages[0], stages[2]]  # without the stage that makes the explanation
    values["change"] = {"pixels": torch.randn_like(values["change"]["pixels"])}
    assert not chain_gradient(detached, outer, values, architecture, **settings)["gate"].any()
    values["change"] = {"pixels": torch.zeros_like(values["change"]["pixels"])}
    assert chain_gradient(stages, outer, values, architecture, **settings)["gate"].any()


@pytest.mark.parametrize(("perturbation", "tolerance"), [(1e-2, 1e-4), (1e-3, 1e-6)])
def test_the_error_falls_with_the_square_of_the_perturbation(perturbation, tolerance):
    stages, outer, values, architecture = two_levels()
    wanted = exact(stages, outer, values, architecture)
    settings = {"perturbation": perturbation, "average": list}
    assert difference(chain_gradient(stages, outer, values, architecture, **settings), wanted) < (
        tolerance
    )


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
        found = second_order(toy_training, toy_validation, {"w": w}, {"alpha": alpha}, rate=rate)
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
    first = first_order(toy_validation, weights, architecture)
    second = second_order(toy_training, toy_validation, weights, architecture, rate=0.0)
    assert float(first["alpha"]) == float(second["alpha"]) == -4.0


def darts(training, validation, weights, architecture, *, rate, momentum, decay, velocity):
    """DARTS, equations 7 and 8, written down for a single level of weights."""

    def slopes(loss, inputs):
        return dict(zip(inputs, torch.autograd.grad(loss, list(inputs.values())), strict=True))

    current = {name: value.clone().requires_grad_() for name, value in weights.items()}
    step = slopes(training(current, architecture), current)
    moves = {
        name: rate * (step[name] + decay * value + momentum * velocity.get(name, 0.0))
        for name, value in weights.items()
    }
    virtual = {name: (value - moves[name]).requires_grad_() for name, value in weights.items()}
    outer = slopes(validation(virtual, architecture), virtual | architecture)
    norm = torch.sqrt(sum((outer[name] ** 2).sum() for name in weights))
    epsilon = 0.01 / norm
    plus, minus = (
        slopes(
            training(
                {name: value + sign * epsilon * outer[name] for name, value in weights.items()},
                architecture,
            ),
            architecture,
        )
        for sign in (1.0, -1.0)
    )
    return {
        name: outer[name] - rate * (plus[name] - minus[name]) / (2 * epsilon)
        for name in architecture
    }


def test_second_order_is_a_chain_of_one_stage_to_the_bit():
    (stage,), outer, values, architecture = two_levels()
    found = chain_gradient([stage], outer, values, architecture, perturbation=0.01, average=list)
    wanted = darts(
        lambda w, a: stage.loss({"w": w}, a),
        lambda w, a: outer({"w": w}, a),
        values["w"],
        architecture,
        rate=stage.step.rate,
        momentum=stage.step.momentum,
        decay=stage.step.weight_decay,
        velocity=stage.step.velocity,
    )
    assert found["gate"].equal(wanted["gate"])


def test_values_are_left_as_they_are():
    stages, outer, values, architecture = interleaving()
    before = {
        name: {key: value.clone() for key, value in part.items()} for name, part in values.items()
    }
    chain_gradient(stages, outer, values, architecture, perturbation=0.01, average=list)
    assert all(
        values[name][key].equal(before[name][key]) for name in values for key in values[name]
    )
    assert architecture["gate"].grad is None


def test_every_exchange_between_ranks_is_an_average():
    """Each of the four gradients must be averaged, or ranks would take different virtual steps."""
    (stage,), outer, values, architecture = two_levels()
    calls = []

    def average(tensors):
        calls.append(len(tensors))
        return list(tensors)

    chain_gradient([stage], outer, values, architecture, perturbation=0.01, average=average)
    assert calls == [4, 5, 1, 1]
