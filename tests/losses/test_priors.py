"""Class frequencies that the probabilities of a classifier assume."""

import pytest
import torch

from ltnas import config as c
from ltnas.losses.classification import build_criterion
from ltnas.losses.priors import assumed_prior
from ltnas.losses.weights import class_weights

COUNTS = torch.tensor([100, 30, 5])


def normalised(values):
    tensor = torch.as_tensor(values, dtype=torch.float64)
    return tensor / tensor.sum()


@pytest.mark.parametrize(
    ("objective", "sampler", "adjust", "expected"),
    [
        (c.CrossEntropy(), c.InstanceSampler(), 0.0, [100, 30, 5]),
        (c.CrossEntropy(), c.ClassBalancedSampler(), 0.0, [1, 1, 1]),
        (c.CrossEntropy(), c.ProgressiveSampler(), 0.0, [1, 1, 1]),
        (c.CrossEntropy(), c.SquareRootSampler(), 0.0, [10, 30**0.5, 5**0.5]),
        (c.InverseFrequency(), c.InstanceSampler(), 0.0, [1, 1, 1]),
        (c.InverseFrequency(exponent=0.5), c.InstanceSampler(), 0.0, [10, 30**0.5, 5**0.5]),
        (c.LogitAdjusted(), c.InstanceSampler(), 0.0, [1, 1, 1]),
        (c.LogitAdjusted(tau=2.0), c.InstanceSampler(), 0.0, [1 / 100, 1 / 30, 1 / 5]),
        (c.CrossEntropy(), c.InstanceSampler(), 1.0, [1, 1, 1]),
        (c.CrossEntropy(), c.InstanceSampler(), 0.5, [10, 30**0.5, 5**0.5]),
    ],
)
def test_frequencies(objective, sampler, adjust, expected):
    found = assumed_prior(objective, sampler, adjust, COUNTS)
    assert torch.allclose(found, normalised(expected))


def test_what_would_start_after_the_last_epoch_has_no_effect():
    late = c.InverseFrequency(start=0.8), c.ClassBalancedSampler(start=0.8)
    for objective, sampler in ((late[0], c.InstanceSampler()), (c.CrossEntropy(), late[1])):
        # 4 epochs end at 3/4 of the run, 5 epochs at 4/5.
        never = assumed_prior(objective, sampler, 0.0, COUNTS, progress=3 / 4)
        assert torch.allclose(never, normalised([100, 30, 5]))
        begun = assumed_prior(objective, sampler, 0.0, COUNTS, progress=4 / 5)
        assert torch.allclose(begun, normalised([1, 1, 1]))


@pytest.mark.parametrize(
    "objective",
    [
        c.CrossEntropy(),
        c.InverseFrequency(exponent=0.7),
        c.ClassBalanced(),
        c.LogitAdjusted(tau=0.6),
        c.VectorScaling(
            *("inverse_frequency", 0.3), start=0.8, tau=0.5, gamma=0.2, multiplicative_end=0.8
        ),
    ],
)
def test_a_classifier_without_features_learns_exactly_these_frequencies(objective):
    """The best constant logits are the logarithms of the class frequencies."""
    criterion = build_criterion(objective, COUNTS, 1.0).double()
    criterion.set_progress(0.9)  # a multiplicative term has ended
    weights = class_weights(objective, COUNTS)
    labels = torch.arange(3).repeat_interleave(COUNTS)
    expected = assumed_prior(objective, c.InstanceSampler(), 0.0, COUNTS)

    def gradient(prior):
        logits = prior.log().requires_grad_()
        (criterion(logits.expand(len(labels), 3), labels) * weights[labels]).mean().backward()
        return logits.grad.abs().max()

    assert gradient(expected) < 1e-6
    assert gradient(normalised([1, 2, 3])) > 1e-2
