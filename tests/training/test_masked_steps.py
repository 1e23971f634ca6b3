"""Steps of a search by masked reconstruction: what they move, and what they depend on."""

import pytest
from modules import masked_batches, search_module, state

from ltnas import config as c

PROBE = {"model.classifier.weight", "model.classifier.bias"}
OPTIONS = {
    "first order": {},
    "second order": {"gradient": c.SecondOrder()},
    "single level": {"gradient": c.SingleLevel()},
    "adversary": {"perturbation": c.AdversarialPerturbation(0.1, steps=2)},
    "gates": {"relaxation": c.Sigmoid(), "regulariser": c.ZeroOneL1()},
    "overfitting": {"stopping": c.Oles(steps=2)},
    "broad": {"macro": c.BroadCells()},
    "partial channels": {"design": {"partial_channels": 2}},
    "one operation": {"relaxation": c.HardGumbel(), "design": {"separate_edges": True}},
}


def made(decoder="hierarchical", **options):
    objective = c.MaskedReconstruction(decoder=decoder, decoder_channels=8)
    return search_module(objective, **options)


def differing(first, second):
    return {name for name in first if not first[name].equal(second[name])}


@pytest.mark.parametrize("decoder", ["hierarchical", "single_scale"])
@pytest.mark.parametrize("name", OPTIONS)
def test_labels_play_no_part(name, decoder):
    """Other labels: the same encoder, decoder and architecture to the bit, but another probe."""
    ends = []
    for change in (lambda labels: labels, lambda labels: labels.flip(0) * 0):
        module = made(decoder, **OPTIONS[name])
        for step in range(3):
            data = {
                key: batch._replace(labels=change(batch.labels))
                for key, batch in masked_batches(seed=step).items()
            }
            module.training_step(data, step)
        ends.append(state(module))
    assert differing(*ends) == PROBE


def test_the_weight_step_alone_trains_the_decoder():
    module = made()
    start = state(module)
    module.architecture_step(masked_batches())
    after = state(module)
    assert differing(start, after) == {"model.architecture.normal", "model.architecture.reduce"}
    module.weight_step(masked_batches()["weights"])
    moved = differing(after, state(module))
    learned = {f"objective.{name}" for name, _ in module.learner.objective.named_parameters()}
    assert learned | PROBE <= moved
    assert not any("architecture" in name for name in moved)


def test_the_probe_is_clipped_by_itself():
    module = made()
    others, probe = module.learner.clip_groups()
    assert {id(p) for p in probe} == {id(p) for p in module.network.classifier.parameters()}
    decoder = {id(p) for p in module.learner.objective.parameters()}
    assert decoder < {id(p) for p in others}


def test_the_mask_belongs_to_the_batch():
    """All passes of a second-order gradient see one mask, and so does the same step again."""
    module = made(gradient=c.SecondOrder())
    first, again = (module.architecture_gradient(masked_batches())[0] for _ in range(2))
    assert differing(first, again) == set()
    flipped = {
        name: batch._replace(views=(batch.views[0], 1 - batch.views[1]))
        for name, batch in masked_batches().items()
    }
    assert differing(first, module.architecture_gradient(flipped)[0]) == set(first)


@pytest.mark.parametrize("decoder", ["hierarchical", "single_scale"])
def test_a_search_of_some_steps_lowers_the_loss(decoder):
    """On images of one colour each, whose masked half can be known from the visible one."""
    module = made(decoder)
    data = {}
    for name, batch in masked_batches().items():
        images, mask = batch.views
        data[name] = batch._replace(views=(images[:, :, :1, :1].expand_as(images), mask))
    losses = []
    for step in range(20):
        module.training_step(data, step)
        losses.append(module.latest()["train_loss"])
    assert losses[-1] < losses[0] / 2
