"""Searches of more than two levels: identities, passes, and what each learner learns."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from modules import (
    LEVELS,
    STREAMS,
    batches,
    interleaving,
    search_module,
    teaching,
    whole_state,
)

from ltnas import config as c
from ltnas.models.skip_dropout import DroppedSkip
from ltnas.training.teaching import soft_labels

SECOND = c.SecondOrder()


def module_of(name, gradient=SECOND, **settings):
    return search_module(gradient=gradient, levels=lambda x: LEVELS[name](x, **settings))


def gradient_of(module, name, **options):
    module.levels.draw(batches(others=STREAMS[name]), torch.Generator().manual_seed(0))
    return module.architecture_gradient(batches(others=STREAMS[name], **options))[0]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("teaching", {"student_weight": 0.0}),
        ("self_explanation", {"audience_weight": 0.0}),
        ("attack", {"audience_weight": 0.0}),
        ("interleaving", {"learners": 1, "rounds": 1}),
    ],
)
def test_without_the_other_learner_it_is_second_order_darts_to_the_bit(name, settings):
    alone = search_module(gradient=SECOND).architecture_gradient(batches())[0]
    found = gradient_of(module_of(name, **settings), name)
    assert found.keys() == alone.keys()
    for key, value in alone.items():
        assert found[key].equal(value)


@pytest.mark.parametrize("name", LEVELS)
def test_the_other_learner_changes_the_gradient(name):
    alone = search_module(gradient=SECOND).architecture_gradient(batches())[0]
    found = gradient_of(module_of(name), name)
    for key, value in alone.items():
        assert (found[key] - value).norm() > 1e-4 * value.norm()


@pytest.mark.parametrize("name", LEVELS)
def test_the_architecture_gradient_leaves_all_learners_alone(name):
    module = module_of(name)
    before = whole_state(module)
    gradient_of(module, name)
    assert all(value.equal(before[key]) for key, value in whole_state(module).items())
    assert all(parameter.grad is None for parameter in module.parameters())


CASES = [(name, SECOND) for name in LEVELS] + [
    (name, c.FirstOrder()) for name in ("attack", "interleaving")
]


@pytest.mark.parametrize(("name", "gradient"), CASES)
def test_passes_are_as_many_as_told(name, gradient):
    module = module_of(name, gradient)
    counts = dict.fromkeys(module.learners(), 0)

    def counting(learner):
        def count(*_):
            counts[learner] += 1

        return count

    for learner, part in module.learners().items():
        part.model.register_forward_hook(counting(learner))
    module.training_step(batches(others=STREAMS[name]), 0)
    assert counts == module.levels.passes(gradient)


@pytest.mark.parametrize("gradient", [c.FirstOrder(), SECOND])
def test_passes_of_two_levels(gradient):
    module = search_module(gradient=gradient)
    calls = []
    module.learner.model.register_forward_hook(lambda *_: calls.append(1))
    module.training_step(batches(), 0)
    assert module.levels.passes(gradient) == {"supernet": len(calls)}


def test_a_depth_saves_passes():
    whole, cut = (module_of("interleaving", depth=depth).levels for depth in (None, 1))
    assert sum(whole.passes(SECOND).values()) == 16
    assert sum(cut.passes(SECOND).values()) == 10


@pytest.mark.parametrize("name", LEVELS)
def test_a_step_teaches_every_learner_and_notes_its_losses(name):
    module = module_of(name)
    before = whole_state(module)
    module.training_step(batches(others=STREAMS[name]), 0)
    after = whole_state(module)
    (other,) = module.levels.learners
    for learner in ("learner.model", f"levels.learners.{other}.model"):
        changed = [
            key
            for key, value in after.items()
            if key.startswith(learner) and not value.equal(before[key])
        ]
        assert any(key.endswith("running_mean") for key in changed)
        assert f"{learner}.classifier.weight" in changed
    assert {f"{other}_loss", f"{other}_accuracy", f"architecture_loss_{other}"} <= set(
        module.latest()
    )


@pytest.mark.parametrize("name", LEVELS)
def test_losses_of_all_learners_fall_on_images_that_they_see_again(name):
    module, data = module_of(name), batches(others=STREAMS[name])
    for index in range(8):
        module.training_step(data, index)
    (other,) = module.levels.learners
    for column in ("train_loss", f"{other}_loss"):
        first, *_, last = module.losses[column]
        assert last < first - 0.05


@pytest.mark.parametrize("name", ["teaching", "self_explanation"])
def test_the_step_of_the_supernet_is_that_of_darts(name):
    """Neither the pass for pseudo-labels nor the attack moves statistics or weights."""
    module, alone = module_of(name), search_module(gradient=SECOND)
    module.weights_alone_step(batches(others=STREAMS[name]))
    alone.weights_alone_step(batches())
    wanted = alone.learner.state_dict()
    assert all(value.equal(wanted[key]) for key, value in module.learner.state_dict().items())


def test_labels_of_unlabelled_images_are_not_used():
    found = []
    for shift in (0, 1):
        module, data = module_of("teaching"), batches(others=STREAMS["teaching"])
        hidden = data["unlabelled"]
        data["unlabelled"] = hidden._replace(labels=(hidden.labels + shift) % 4)
        module.training_step(data, 0)
        found.append(whole_state(module))
    assert all(value.equal(found[1][key]) for key, value in found[0].items())


def test_the_student_learns_from_labels_and_pseudo_labels_in_one_step():
    module = search_module(
        gradient=SECOND,
        levels=lambda x: teaching(x, pseudo_label_weight=0.7, prior_correction=0.5),
    )
    data = batches(others=STREAMS["teaching"])
    student, images = module.levels.learners["student"], data["unlabelled"].views[0]
    start = {name: value.detach().clone() for name, value in student.weights().items()}
    labelled = F.cross_entropy(student.model(data["student"].views[0]), data["student"].labels)
    priors = torch.tensor([8.0, 4, 2, 1]) / 15
    teacher = (module.network(images) - 0.5 * priors.log()).softmax(1).detach()
    pseudo = -(teacher * student.model(images).log_softmax(1)).sum(1).mean()
    slopes = torch.autograd.grad(labelled + 0.7 * pseudo, list(student.weights().values()))
    norm = torch.sqrt(sum((slope**2).sum() for slope in slopes))
    scale = min(1.0, 5 / float(norm))
    module.levels.weight_steps(data, module._updates(), module.autocast)
    settings = module.weights_config
    for (name, value), slope in zip(student.weights().items(), slopes, strict=True):
        moved = scale * slope + settings.weight_decay * start[name]
        wanted = start[name] - settings.learning_rate * moved
        torch.testing.assert_close(value.detach(), wanted, rtol=1e-6, atol=1e-8)


def test_a_prior_correction_raises_rare_classes():
    logits, priors = torch.zeros(1, 3), torch.tensor([0.7, 0.2, 0.1]).log()
    assert soft_labels(logits, priors, 0.0)[0].tolist() == pytest.approx([1 / 3] * 3)
    wanted = torch.tensor([1 / 0.7, 1 / 0.2, 1 / 0.1])
    assert soft_labels(logits, priors, 1.0)[0].tolist() == pytest.approx(
        (wanted / wanted.sum()).tolist()
    )


def test_a_strong_pull_makes_supernets_alike_and_leaves_classifiers_apart():
    module = search_module(gradient=SECOND, levels=lambda x: interleaving(x, pull=1e9))
    module.training_step(batches(others=STREAMS["interleaving"]), 0)
    first, second = (learner.weights() for learner in module.learners().values())
    for name, value in first.items():
        near = torch.allclose(value, second[name], rtol=1e-6, atol=1e-9)
        assert near == name.startswith("model.supernet.")


def test_a_pull_is_that_of_the_virtual_step():
    """The real step without momentum, clipping and decay leaves what the virtual step leaves."""
    weights = c.WeightOptimiser(momentum=0.0, weight_decay=0.0, clip=None)
    module = search_module(
        gradient=SECOND, weights=weights, levels=lambda x: interleaving(x, rounds=1, pull=3.0)
    )
    data, levels = batches(others=STREAMS["interleaving"]), module.levels
    stages = levels.stages(data, module._next_steps(), module.autocast)
    assert [stage.moves for stage in stages] == ["supernet", "learner_2"]
    assert stages[0].pull is None
    assert stages[1].pull.strength == pytest.approx(2 * 0.025 * 3)
    module.weights_alone_step(data)
    first, second = (learner.weights() for learner in module.learners().values())
    # By hand, from the same start.
    again = search_module(
        gradient=SECOND, weights=weights, levels=lambda x: interleaving(x, rounds=1, pull=3.0)
    )
    again.weight_step(data["weights"])
    other = again.levels.learners["learner_2"]
    losses = other(data["learner_2"])
    slopes = torch.autograd.grad(losses.total, list(other.weights().values()))
    for (name, start), slope in zip(other.weights().items(), slopes, strict=True):
        wanted = start - 0.025 * slope
        if name.startswith("model.supernet."):
            wanted = (wanted + 0.15 * first[name]) / 1.15
        torch.testing.assert_close(second[name].detach(), wanted.detach(), rtol=1e-9, atol=1e-12)


def test_learners_of_one_architecture_share_its_parameters_and_noise():
    module = search_module(gradient=SECOND, relaxation=c.Gumbel(), levels=interleaving)
    first, second = (learner.model for learner in module.learners().values())
    assert second.architecture is first.architecture
    assert second.relaxation is first.relaxation
    optimised = [p for o in module.alone.optimizers for g in o.param_groups for p in g["params"]]
    assert len(optimised) == len({id(parameter) for parameter in optimised})
    assert {id(parameter) for parameter in module.parameters()} == {id(p) for p in optimised}


def test_all_optimisers_get_the_rate_of_the_epoch():
    module = module_of("teaching")
    module.on_train_epoch_start()
    assert [group["lr"] for o in module.alone.optimizers for group in o.param_groups] == [
        *(0.025, 0.01, 0.025)
    ]


def test_skip_dropout_reaches_every_learner():
    module = search_module(levels=interleaving, design={"skip_dropout": True})
    module.stage = replace(module.stage, skip_dropout=0.4)
    module.on_train_epoch_start()
    for learner in module.learners().values():
        parts = [part for part in learner.modules() if isinstance(part, DroppedSkip)]
        assert parts
        assert all(float(part.probability) == pytest.approx(0.4) for part in parts)


def test_an_interleaved_learner_is_judged_on_images_of_its_own():
    found = []
    for seed in (0, 1):
        module, data = module_of("interleaving"), batches(others=STREAMS["interleaving"])
        data["architecture_learner_2"] = batches(seed=seed + 7)["architecture"]
        found.append(module.architecture_gradient(data)[0])
    assert all(not found[1][key].equal(value) for key, value in found[0].items())


def test_a_weight_step_has_no_gradient_of_the_architecture():
    module = search_module()
    losses = module.functions.at_fixed_architecture(batches()["weights"])
    parameters = list(module.network.architecture.values())
    assert torch.autograd.grad(losses.total, parameters, allow_unused=True) == (None, None)
