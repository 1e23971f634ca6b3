"""Orders of an epoch: exact in distribution, and determined by their generator."""

import numpy as np
import pytest
import torch

from ltnas import config as c
from ltnas.data.samplers import (
    class_shares,
    epoch_length,
    epoch_order,
    expected_counts,
    power_order,
)

COUNTS = (60, 30, 12, 5)
LABELS = torch.tensor(np.random.RandomState(0).permutation(np.repeat(range(4), COUNTS)))
N = torch.tensor(COUNTS)
DRAWING = {
    "class_balanced": (c.ClassBalancedSampler(), [1, 1, 1, 1]),
    "square_root": (c.SquareRootSampler(), [n**0.5 for n in COUNTS]),
    "reversed": (c.ReversedSampler(), [60 / n for n in COUNTS]),
    "progressive": (c.ProgressiveSampler(), [0.25 * n / 107 + 0.75 / 4 for n in COUNTS]),
}
CRITICAL = {3: 16.27, 106: 154.3}
"""Critical values of chi-square at the level 0.001, by degrees of freedom."""


def order(sampler, progress=0.75, seed=0):
    return epoch_order(sampler, LABELS, progress, torch.Generator().manual_seed(seed))


def chi_square(observed, expected):
    return float(((observed - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("name", DRAWING)
def test_classes_and_images_are_drawn_with_their_shares(name):
    sampler, relative = DRAWING[name]
    shares = torch.tensor(relative).double() / sum(relative)
    torch.testing.assert_close(class_shares(sampler, N, 0.75), shares)
    drawn = torch.cat([order(sampler, seed=seed) for seed in range(300)])
    image_counts = drawn.bincount(minlength=107).double()
    class_counts = LABELS[drawn].bincount(minlength=4).double()
    assert chi_square(class_counts, shares * len(drawn)) < CRITICAL[3]
    uniform = (shares / N)[LABELS] * len(drawn)
    assert chi_square(image_counts, uniform) < CRITICAL[106]


@pytest.mark.parametrize("q", [0.0, 0.2, 1.0, 2.0])
def test_images_are_drawn_with_a_power_of_their_class_count(q):
    """GLMC's second stream: each image with the weight n^-q of its class."""
    drawn = power_order(q, LABELS, 30_000, torch.Generator().manual_seed(1))
    weights = (N.double() ** -q)[LABELS]
    image_counts = drawn.bincount(minlength=107).double()
    assert chi_square(image_counts, 30_000 * weights / weights.sum()) < CRITICAL[106]
    again = power_order(q, LABELS, 30_000, torch.Generator().manual_seed(1))
    assert torch.equal(again, drawn)


def test_chi_square_notices_a_wrong_share():
    drawn = torch.cat([order(c.ReversedSampler(), seed=seed) for seed in range(300)])
    wrong = torch.tensor([0.06, 0.11, 0.25, 0.58]).double() * len(drawn)
    assert chi_square(LABELS[drawn].bincount(minlength=4).double(), wrong) > CRITICAL[3]


def test_instance_balanced_shows_each_image_once():
    shown = order(c.InstanceSampler())
    assert shown.sort().values.tolist() == list(range(107))
    assert shown.tolist() != list(range(107))


def test_over_sampling_shows_all_images_and_classes_equally():
    shown = order(c.OverSampler())
    assert len(shown) == epoch_length(c.OverSampler(), N) == 240
    assert LABELS[shown].bincount().tolist() == [60] * 4
    times = shown.bincount(minlength=107)
    for label, count in enumerate(COUNTS):
        class_times = times[label == LABELS]
        assert int(class_times.min()) == 60 // count
        assert int(class_times.max()) == -(-60 // count)
    assert LABELS[shown[:60]].bincount(minlength=4).min() > 0  # shuffled, not sorted by class


def test_under_sampling_takes_others_each_epoch():
    first, second = (order(c.UnderSampler(), seed=seed) for seed in (0, 1))
    assert LABELS[first].bincount().tolist() == [5] * 4
    assert len(set(first.tolist())) == 20
    assert set(first.tolist()) != set(second.tolist())


@pytest.mark.parametrize(
    "sampler", [c.InstanceSampler(), c.OverSampler(), c.UnderSampler(), c.ReversedSampler()]
)
def test_an_order_is_a_function_of_its_generator(sampler):
    assert torch.equal(order(sampler), order(sampler))
    assert not torch.equal(order(sampler), order(sampler, seed=1))


@pytest.mark.parametrize("kind", [c.ClassBalancedSampler, c.OverSampler])
def test_a_deferred_sampler_is_uniform_at_first(kind):
    sampler = kind(start=0.8)
    early, late = (LABELS[order(sampler, progress)].bincount() for progress in (0.79, 0.8))
    plain = LABELS[order(c.InstanceSampler(), progress=0)].bincount()
    assert int(early.argmax()) == int(plain.argmax()) == 0
    assert early.sum() == late.sum()
    assert late[0] < 0.5 * early[0]


@pytest.mark.parametrize(
    "sampler",
    [
        c.InstanceSampler(),
        c.ClassBalancedSampler(),
        c.SquareRootSampler(),
        c.ReversedSampler(start=0.5),
        c.ProgressiveSampler(),
        c.OverSampler(),
        c.UnderSampler(start=0.25),
    ],
)
def test_expected_counts_are_those_of_a_run(sampler):
    shown = torch.zeros(4).double()
    for epoch in range(400):
        shown += LABELS[order(sampler, epoch / 400, seed=epoch)].bincount(minlength=4)
    torch.testing.assert_close(expected_counts(sampler, N), shown / 400, rtol=0.04, atol=0.3)


def test_classes_without_images_are_never_drawn():
    labels = torch.tensor([0, 0, 0, 3, 3])
    shown = epoch_order(c.ReversedSampler(), labels, 0.0, torch.Generator().manual_seed(0))
    assert set(labels[shown].tolist()) <= {0, 3}


@pytest.mark.parametrize("unknown", [c.Sampler(), c.NoMix()], ids=repr)
@pytest.mark.parametrize(
    "use",
    [
        lambda sampler: class_shares(sampler, N, 0.5),
        lambda sampler: epoch_length(sampler, N),
        lambda sampler: expected_counts(sampler, N),
        order,
    ],
    ids=["class_shares", "epoch_length", "expected_counts", "epoch_order"],
)
def test_an_unknown_sampler_is_refused(use, unknown):
    with pytest.raises(TypeError, match="is not a value on the sampler axis"):
        use(unknown)
