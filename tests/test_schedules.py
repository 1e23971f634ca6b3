"""Rates by epoch."""

import pytest

from ltnas.schedules import cosine, linear_ramp


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
