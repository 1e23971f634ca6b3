"""Training of the weights between the decisions of a selection by removal."""

import contextlib

import pytest
import torch
from composed import composed

from ltnas import config as c
from ltnas.data.long_tail import load_long_tail
from ltnas.models.restriction import restricted
from ltnas.training.evaluated_selection import selection_by_measuring
from ltnas.training.search_parts import build_search, halves
from ltnas.training.tuning import Tuning, tuning_epochs, tuning_stream, tuning_weights

CPU = torch.device("cpu")


def configured(*words):
    small = ("space.nodes=1", "channels=2", "epochs=2", "limit_batches=2", "selection.images=8")
    return composed("search", "scheme=darts_pt", *small, *words)


def parts(config):
    long_tail = load_long_tail(config.data, config.imbalance)
    return long_tail, build_search(config, "cpu", long_tail)


def tuning_of(config):
    """Return the tuning of a copy of a new supernet, and the module that this belongs to."""
    long_tail, module = parts(config)
    network = module.network
    tuning = Tuning(
        restricted(network, network.supernet.masks),
        module.learner.objective,
        tuning_stream(config, long_tail, CPU),
        config=config,
        autocast=contextlib.nullcontext,
        device=CPU,
    )
    return tuning, module


def copied(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(module, before):
    return {name for name, value in module.named_parameters() if not value.equal(before[name])}


def test_the_weights_are_trained_after_a_decision_for_each_kind_of_cell():
    tuning, module = tuning_of(configured("selection.tune_epochs=1"))
    ours, others = copied(tuning.learner), copied(module)
    mixing = module.network.expected_weights()
    tuning(mixing)
    assert not changed(tuning.learner, ours)
    tuning(mixing)
    moved = changed(tuning.learner, ours)
    assert "model.classifier.weight" in moved
    assert any(".candidates." in name for name in moved)
    assert not any(name.startswith("model.architecture.") for name in moved)
    # The network that the search has trained stays as it is.
    assert not changed(module, others)


def test_operations_that_were_decided_against_are_not_trained():
    tuning, _ = tuning_of(configured("selection.tune_epochs=1", "weights.weight_decay=0"))
    operations = tuning.network.supernet.operation_names
    one = torch.zeros(2, len(operations))
    one[:, operations.index("skip_connect")] = 1
    before = copied(tuning.learner)
    for _ in range(2):
        tuning(dict.fromkeys(("normal", "reduce"), one))
    moved = changed(tuning.learner, before)
    assert "model.classifier.weight" in moved
    of_operations = {name for name in moved if ".candidates." in name}
    assert of_operations  # skip connections have weights in reduction cells
    assert all(".candidates.skip_connect." in name for name in of_operations)


def test_images_and_rates_are_those_of_epochs_after_the_search():
    config = configured()
    assert (config.selection.tune_epochs, tuning_epochs(config)) == (5, 10)
    assert tuning_epochs(composed("search", "scheme=darts_pt")) == 85
    long_tail, _ = parts(config)
    stream = tuning_stream(config, long_tail, CPU)
    assert set(stream.indices.tolist()) == set(halves(config, long_tail)[0].tolist())
    stream.set_epoch(1)
    assert (stream.epoch, stream.epochs) == (3, 12)
    weights = tuning_weights(config.weights)
    assert weights.learning_rate == pytest.approx(0.0025)
    assert weights.final_learning_rate == 0.001
    # A rate never grows on its way to the last one.
    slow = tuning_weights(c.WeightOptimiser(learning_rate=0.002, warmup_epochs=3))
    assert slow.learning_rate == slow.final_learning_rate == pytest.approx(0.0002)
    assert slow.warmup_epochs == 0


def test_no_epochs_give_the_selection_without_a_training(monkeypatch):
    monkeypatch.setattr(Tuning, "__init__", None)  # would fail if it were made
    config = configured("selection.tune_epochs=0")
    long_tail, module = parts(config)
    before = copied(module)
    first, second = (selection_by_measuring(config, module, "cpu", long_tail) for _ in range(2))
    assert first == second
    assert not changed(module, before)


def test_a_selection_with_epochs_is_a_function_of_the_trained_supernet():
    config = configured("selection.tune_epochs=1")
    long_tail, module = parts(config)
    first, second = (selection_by_measuring(config, module, "cpu", long_tail) for _ in range(2))
    assert first == second
    untuned = configured("selection.tune_epochs=0")
    assert selection_by_measuring(untuned, module, "cpu", long_tail)[1] != first[1]
