"""Rates by epoch."""

import math
from dataclasses import dataclass

import pytest

from ltnas import config as c
from ltnas.axes.schedules import (
    BRANCH_SHARES,
    branch_share,
    cosine,
    linear_ramp,
    scheduled,
    share,
    weight_rate,
)


def test_cosine_as_logged_by_the_original():
    assert cosine(49, 50, 0.025, 0.001) == pytest.approx(1.023679e-3, abs=5e-10)


def test_cosine_of_retraining():
    assert cosine(550, 600, 0.025, 0.0) == pytest.approx(4.259272e-4, abs=5e-10)
    assert cosine(0, 600, 0.025, 0.0) == 0.025


def test_cosine_falls():
    rates = [cosine(epoch, 40, 0.025, 0.001) for epoch in range(40)]
    assert rates == sorted(rates, reverse=True)
    assert rates[20] == pytest.approx(0.013)


def test_linear_ramp_never_reaches_its_end():
    assert [linear_ramp(epoch, 4, 0.2) for epoch in range(4)] == pytest.approx([0, 0.05, 0.1, 0.15])


def test_heterogeneous_rates():
    rates = [scheduled(c.Heterogeneous(), epoch, 50, 3e-4) for epoch in range(50)]
    assert rates[0] == 3e-4
    assert rates[25] == pytest.approx(2.25e-4)
    assert rates[49] == pytest.approx(1.188e-5)
    assert sum(rates) / 50 / 3e-4 == pytest.approx(0.677, abs=5e-4)
    steeper = scheduled(c.Heterogeneous(kappa=2.0), 25, 50, 3e-4)
    assert steeper == pytest.approx(3e-4 * 0.75**2)


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        (c.Constant(), [1, 1, 1, 1]),
        (c.Heterogeneous(), [1, 15 / 16, 3 / 4, 7 / 16]),
        (c.LinearSchedule(), [1, 0.75, 0.5, 0.25]),
        (c.CosineSchedule(), [1, 0.853553, 0.5, 0.146447]),
        (c.Freeze(after=0.5), [1, 1, 0, 0]),
        (c.Freeze(after=1.0), [1, 1, 1, 1]),
        (c.Overlap(), [0, 15 / 64, 3 / 4, 63 / 64]),
        (c.Increasing(), [0, 1 / 16, 1 / 4, 9 / 16]),
        (c.Confident(), [1 / 16, 1 / 4, 9 / 16, 1]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_shares_of_four_epochs(schedule, shares):
    assert [share(schedule, epoch, 4) for epoch in range(4)] == pytest.approx(shares, abs=1e-6)


def test_rates_stay_above_the_last():
    assert scheduled(c.Freeze(last=1e-5), 3, 4, 3e-4) == 1e-5
    assert scheduled(c.LinearSchedule(last=1e-4), 2, 4, 3e-4) == pytest.approx(2e-4)


@pytest.mark.parametrize(
    ("mixing", "shares"),
    [
        ("parabolic", [1, 15 / 16, 3 / 4, 7 / 16]),
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("quarter_cosine", [1, 0.923880, 0.707107, 0.382683]),
        ("cosine_symmetric", [1, 0.853553, 0.5, 0.146447]),
        ("fixed", [0.5] * 4),
        ("increasing", [0, 1 / 16, 1 / 4, 9 / 16]),
        ("beta", [0.5] * 4),
        ("stage", [1, 1, 1, 0]),
    ],
)
def test_shares_of_the_conventional_branch(mixing, shares):
    assert [branch_share(mixing, epoch / 4) for epoch in range(4)] == pytest.approx(
        shares, abs=1e-6
    )


def test_symmetric_mixings_give_both_branches_the_same():
    for mixing in c.MIXINGS:
        both = [branch_share(mixing, p) + branch_share(mixing, 1 - p) for p in (0.1, 0.45)]
        symmetric = mixing in ("linear", "cosine_symmetric", "fixed", "beta")
        assert (both == pytest.approx([1, 1])) is symmetric


def test_names_of_mixings_are_those_of_the_configuration():
    assert tuple(BRANCH_SHARES) == c.MIXINGS


@pytest.mark.parametrize("mixing", ["half", "cosine"])
def test_an_unknown_mixing(mixing):
    with pytest.raises(ValueError, match=f"{mixing} is not a branch mixing"):
        branch_share(mixing, 0.0)


def test_an_unknown_schedule():
    @dataclass
    class Unknown(c.Schedule):
        pass

    with pytest.raises(TypeError, match="not a value on the schedule axis"):
        share(Unknown(), 0, 4)


def test_an_unknown_decay():
    config = c.WeightOptimiser()
    config.decay = "linear"
    with pytest.raises(ValueError, match="linear is not a decay"):
        weight_rate(config, 0, 4)


def test_rates_are_the_floating_point_values_of_these_expressions():
    for epoch, epochs in [(e, total) for total in (7, 50, 600) for e in range(total)]:
        p = epoch / epochs
        assert share(c.CosineSchedule(), epoch, epochs) == (1 + math.cos(math.pi * p)) / 2
        assert share(c.Overlap(), epoch, epochs) == 4 * (1 - p**2) * (1 - (1 - p**2))
        assert branch_share("quarter_cosine", p) == math.cos(p * math.pi / 2)
        cosine_rate = 1e-3 + (0.025 - 1e-3) * (1 + math.cos(math.pi * epoch / epochs)) / 2
        assert cosine(epoch, epochs, 0.025, 1e-3) == cosine_rate


def test_steps_and_warm_up_are_those_of_ldam():
    # Cao et al. 2019: five epochs of warm-up, a hundredth from 160, a ten-thousandth from 180
    config = c.WeightOptimiser(0.1, warmup_epochs=5, decay="steps", steps=[0.8, 0.9])
    rates = [weight_rate(config, epoch, 200) for epoch in range(200)]
    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[5:160] == [0.1] * 155
    assert rates[160:180] == pytest.approx([1e-3] * 20)
    assert rates[180:] == pytest.approx([1e-5] * 20)


def test_a_warm_up_from_a_third_is_that_of_bbn():
    config = c.WeightOptimiser(
        0.1, warmup_epochs=5, decay="steps", steps=[0.595, 0.795], warmup_start=1 / 3
    )
    rates = [weight_rate(config, epoch, 200) for epoch in range(6)]
    assert rates == pytest.approx([0.14 / 3, 0.06, 0.22 / 3, 0.26 / 3, 0.1, 0.1])


def test_without_warm_up_and_steps_it_is_a_cosine():
    config = c.WeightOptimiser(0.025, 0.001)
    assert [weight_rate(config, epoch, 50) for epoch in (0, 7, 49)] == [
        cosine(epoch, 50, 0.025, 0.001) for epoch in (0, 7, 49)
    ]
