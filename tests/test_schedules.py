"""Rates by epoch."""

import pytest

from ltnas import config as c
from ltnas.schedules import cosine, linear_ramp, scheduled, share


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
