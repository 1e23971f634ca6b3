"""Operation-level early stopping: similarities, what is frozen, and that it does not move."""

import pytest
import torch
import torch.nn.functional as F
from modules import batches, search_module, state

from ltnas import config as c
from ltnas.training.operation_stopping import OperationStopping, Watched, similarities

ALL = c.Oles(steps=1, threshold=1.0, comparison="gradient")
"""Freezes every operation after its first step: no cosine of two batches is 1."""
NOTHING = c.Oles(steps=1, threshold=-1.0)
TWO = [Watched(2, ("a", "b")), Watched(1, ("c",))]
"""An operation on two edges with two tensors, and one on one edge."""


def gradients(seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"a": (4, 1, 3, 3), "b": (4, 2, 1, 1), "c": (2, 1, 3, 3)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def differing(before, after):
    return {name for name in before if not before[name].equal(after[name])}


def operations(names):
    return {name for name in names if ".candidates." in name and "_conv_" in name}


# --- similarities -------------------------------------------------------------------------------


def test_the_cosine_is_over_all_weights_of_an_operation_on_an_edge():
    first, second = gradients(0), gradients(1)
    expected = [
        F.cosine_similarity(*(torch.cat([g["a"][rows].flatten(), g["b"][rows].flatten()])
                              for g in (first, second)), dim=0)
        for rows in (slice(0, 2), slice(2, 4))
    ]  # fmt: skip
    expected.append(F.cosine_similarity(first["c"].flatten(), second["c"].flatten(), dim=0))
    found, defined = similarities(first, second, TWO, "gradient")
    torch.testing.assert_close(found, torch.stack(expected))
    assert defined.all()


def test_a_gradient_of_zero_has_no_cosine():
    first, second = gradients(0), gradients(1)
    for name in ("a", "b"):
        second[name][:2] = 0
    for comparison in ("gradient", "sum"):
        found, defined = similarities(first, second, TWO, comparison)
        assert defined.tolist() == [False, True, True]
        assert found.isfinite().all()
    found, defined = similarities(first, {n: -g for n, g in first.items()}, TWO, "sum")
    assert found.tolist() == [0.0] * 3  # a sum of 0 has no direction either


def test_the_sum_of_both_gradients_is_compared_as_by_the_authors_code():
    first, second = gradients(0), gradients(1)
    both = {name: first[name] + second[name] for name in first}
    expected, _ = similarities(first, both, TWO, "gradient")
    found, _ = similarities(first, second, TWO, "sum")
    torch.testing.assert_close(found, expected)
    # It is above 0.7 for gradients of one size that have nothing to do with one another.
    assert c.Oles().comparison == "sum"
    torch.testing.assert_close(found.mean(), torch.tensor(0.5).sqrt(), rtol=0.1, atol=0)


def test_an_unknown_comparison_is_refused():
    with pytest.raises(ValueError, match="angle is not a comparison"):
        similarities(gradients(0), gradients(1), TWO, "angle")


def step(module, training, validation):
    """Take an empty optimiser step with these gradients."""
    weights = {name: torch.nn.Parameter(torch.zeros_like(g)) for name, g in training.items()}
    for name, weight in weights.items():
        weight.grad = training[name].clone()
    module.validation = validation
    with module.step(weights):
        pass


def test_an_operation_is_frozen_by_the_mean_of_a_window():
    module = OperationStopping(TWO, steps=2, threshold=0.4, comparison="gradient")
    same = gradients(0)
    against = {name: -gradient for name, gradient in same.items()}
    half = {**same, "a": same["a"].clone(), "b": same["b"].clone()}
    half["a"][2:], half["b"][2:] = against["a"][2:], against["b"][2:]
    # Means of the first window: 1, 0 for the second edge, and 1.
    step(module, same, same)
    assert module.details() == {"frozen_operations": 0}
    step(module, same, half)
    assert module.frozen.tolist() == [False, True, False]
    # The windows do not overlap: 1 and -1 of the second one make 0 for all.
    step(module, same, against)
    assert module.details() == {"frozen_operations": 1}
    step(module, same, same)
    assert module.frozen.tolist() == [True, True, True]


def test_steps_without_an_architecture_step_are_not_measured():
    module = OperationStopping(TWO, steps=1, threshold=1.0, comparison="gradient")
    step(module, gradients(0), None)
    assert float(module.measured.sum()) == 0
    step(module, gradients(0), gradients(1))
    assert module.frozen.all()


# --- in a search --------------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", [c.FirstOrder(), c.SecondOrder()])
def test_both_gradients_are_those_at_the_weights_before_the_step(gradient):
    module, data = search_module(gradient=gradient, stopping=NOTHING), batches()
    weights = module.learner.weights()
    expected = {}
    for name, batch in data.items():
        loss = F.cross_entropy(module.network(batch.views[0]), batch.labels)
        names = module.stopping.names()
        found = torch.autograd.grad(loss, [weights[key] for key in names])
        expected[name] = dict(zip(names, found, strict=True))
    module = search_module(gradient=gradient, stopping=NOTHING)
    module.architecture_gradient(data)  # without an update: the architecture stays
    for name, value in module.stopping.validation.items():
        torch.testing.assert_close(value, expected["architecture"][name], rtol=1e-8, atol=1e-12)
    seen = []
    module.stopping._observe = seen.append
    module.weight_step(data["weights"])
    for name, value in seen[0].items():
        torch.testing.assert_close(value, expected["weights"][name], rtol=1e-8, atol=1e-12)


def test_watched_are_the_convolutions_on_all_edges_of_all_cells():
    stopping = search_module(stopping=ALL).stopping
    # three cells, five edges of two nodes, four convolutions
    assert stopping.frozen.shape == (3 * 5 * 4,)
    assert operations(stopping.names()) == set(stopping.names())


def test_operations_that_are_not_executed_are_not_measured():
    module = search_module(stopping=ALL, relaxation=c.HardGumbel(), gradient=c.FirstOrder())
    module.training_step(batches(), 0)
    weights = module.network.mixing_weights()
    executed = [
        c.OPERATIONS[int(column)]
        for kind in module.network.supernet.kinds
        for column in weights[kind].argmax(-1)
    ]
    convolutions = sum("_conv_" in name for name in executed)
    # A convolution whose input is zero, because `none` is executed before it, has no gradient.
    assert 0 < module.stopping.details()["frozen_operations"] <= convolutions < len(executed)


def test_frozen_operations_do_not_move_and_all_others_do():
    module = search_module(stopping=ALL)
    module.training_step(batches(seed=0), 0)
    assert module.stopping.details() == {"frozen_operations": 60}
    before = state(module)
    for number in (1, 2):
        module.training_step(batches(seed=number), number)
    moved = differing(before, state(module))
    weights = operations(module.learner.weights())
    assert weights
    assert not moved & weights
    assert "model.classifier.weight" in moved
    assert "model.supernet.stem.0.weight" in moved
    assert "model.architecture.normal" in moved


def test_a_frozen_edge_leaves_the_stacked_others_alone():
    """With momentum and weight decay, and in the step that freezes it."""
    plain, module = search_module(), search_module(stopping=NOTHING)
    for one in (plain, module):
        one.training_step(batches(seed=0), 0)
        one.weights_config.clip = None  # the norm has other weights in it
    assert differing(state(plain), state(module)) == set()
    watched = next(one for one in module.stopping.watched if one.edges == 2)
    place = module.stopping.watched.index(watched)
    first = sum(one.edges for one in module.stopping.watched[:place])
    module.stopping.frozen[first + 1] = True
    before, data = state(module), batches(seed=1)
    for one in (plain, module):
        one.weight_step(data["weights"])
    after, others = state(module), state(plain)
    for name in watched.names:
        half = len(after[name]) // 2
        assert after[name][half:].equal(before[name][half:])
        assert after[name][:half].equal(others[name][:half])
        assert not after[name][:half].equal(before[name][:half])
    assert differing(after, others) == set(watched.names)


def test_frozen_weights_are_not_in_the_norm_that_is_clipped():
    data = batches()["weights"]
    module = search_module(stopping=NOTHING)
    module.stopping.frozen.fill_(True)
    module.weights_config.clip = 0.01
    weights = module.learner.weights()
    loss = F.cross_entropy(module.network(data.views[0]), data.labels)
    found = dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))
    size = sum((g**2).sum() for name, g in found.items() if name not in module.stopping.names())
    name = "model.supernet.stem.0.weight"
    scale = 0.01 / (float(size.sqrt()) + 1e-6)
    expected = weights[name] - 0.025 * (scale * found[name] + 3e-4 * weights[name])
    module = search_module(stopping=NOTHING)
    module.stopping.frozen.fill_(True)
    module.weights_config.clip = 0.01
    module.weight_step(data)
    torch.testing.assert_close(module.learner.weights()[name], expected, rtol=1e-9, atol=1e-12)


def test_a_search_that_freezes_nothing_is_the_plain_one():
    plain, module = search_module(), search_module(stopping=NOTHING)
    for number in range(2):
        for one in (plain, module):
            one.training_step(batches(seed=number), number)
    assert differing(state(plain), state(module)) == set()


def test_a_virtual_step_does_not_move_frozen_weights():
    """Without weights that move, the second-order gradient is the first-order one."""
    data, found = batches(), {}
    for gradient in (c.FirstOrder(), c.SecondOrder()):
        module = search_module(gradient=gradient, stopping=NOTHING)
        module.stopping.frozen.fill_(True)
        names = set(module.stopping.names())
        for name, weight in module.learner.weights().items():
            weight.requires_grad_(name in names)
        module.alone.optimizers = module.configure_optimizers()
        found[type(gradient)], _ = module.architecture_gradient(data)
    for name, value in found[c.FirstOrder].items():
        torch.testing.assert_close(found[c.SecondOrder][name], value, rtol=1e-9, atol=1e-12)


def test_the_state_is_in_checkpoints():
    names = set(search_module(stopping=ALL).state_dict()) - set(search_module().state_dict())
    assert names == {"stopping.frozen", "stopping.similarity", "stopping.measured"}
