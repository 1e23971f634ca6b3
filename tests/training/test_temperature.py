"""Temperature of probabilities: its minimum, and what it does not change."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from ltnas.training.temperature import HIGHEST, LOWEST, error_at, fit_temperature, logits_of

GENERATOR = torch.Generator().manual_seed(0)


def drawn(images=4000, classes=5):
    """Logits whose softmax is calibrated, and classes that were drawn from it."""
    logits = 2 * torch.randn(images, classes, generator=GENERATOR)
    labels = torch.multinomial(logits.softmax(1), 1, generator=GENERATOR).squeeze(1)
    return logits, labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_factor_of_calibrated_logits_is_found(factor):
    logits, labels = drawn()
    temperature = fit_temperature(factor * logits, labels, torch.zeros(5))
    assert temperature == pytest.approx(factor, rel=0.05)
    assert error_at(factor * logits, labels, temperature) < 0.03


def test_it_is_the_minimum_of_the_cross_entropy():
    logits, labels = drawn(300)
    shift = torch.tensor([0.5, -0.5, 0.0, 1.0, -1.0])

    def loss(temperature):
        return float(F.cross_entropy(logits.double() / temperature + shift.double(), labels))

    temperature = fit_temperature(logits, labels, shift)
    assert loss(temperature) < min(loss(temperature * 1.01), loss(temperature / 1.01))
    assert loss(temperature) <= min(loss(math.exp(t / 50)) for t in range(-50, 50)) + 1e-9


def test_class_frequencies_are_not_taken_for_confidence():
    """Images of which the classes that are rare in the training are kept more often."""
    logits = torch.randn(40_000, 5, generator=GENERATOR) + torch.tensor([2.0, 1.0, 0.0, -1.0, -2.0])
    labels = torch.multinomial(logits.softmax(1), 1, generator=GENERATOR).squeeze(1)
    kept = (
        torch.rand(len(labels), generator=GENERATOR)
        < torch.tensor([0.02, 0.1, 0.2, 0.5, 1])[labels]
    )
    before, after = (of.bincount().double() for of in (labels, labels[kept]))
    shift = (after / after.sum()).log() - (before / before.sum()).log()
    assert fit_temperature(logits[kept], labels[kept], shift) == pytest.approx(1, rel=0.1)
    assert fit_temperature(logits[kept], labels[kept], torch.zeros(5)) > 1.5


def test_networks_that_are_always_right_or_always_wrong_stay_in_the_range():
    logits = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    right = fit_temperature(logits, torch.tensor([0, 1]), torch.zeros(2))
    wrong = fit_temperature(logits, torch.tensor([1, 0]), torch.zeros(2))
    assert right == pytest.approx(LOWEST)
    assert wrong == pytest.approx(HIGHEST)


def test_logits_are_those_of_evaluation_and_leave_the_network_as_it_was():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(4, 3))
    images = torch.randn(7, 1, 2, 2, generator=GENERATOR)
    batches = [
        SimpleNamespace(views=(images[part],), labels=torch.arange(7)[part])
        for part in (slice(0, 4), slice(4, 7))
    ]
    logits, labels = logits_of(network.train(), batches)
    assert network.training
    assert labels.tolist() == list(range(7))
    torch.testing.assert_close(logits, network.eval()(images).detach())
