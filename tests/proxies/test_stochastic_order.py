"""Comparison of random scores by the statistic of Mann and Whitney."""

import pytest

from ltnas.proxies.stochastic_order import win_probability, win_rates


def test_win_probability_is_the_u_statistic_over_the_number_of_pairs():
    # The tortoise and the hare: of 36 pairs the hares, in ranks 2 to 6 and 12, win 11.
    hares, tortoises = [2, 3, 4, 5, 6, 12], [1, 7, 8, 9, 10, 11]
    assert win_probability(hares, tortoises) == pytest.approx(11 / 36)
    assert win_probability(tortoises, hares) == pytest.approx(25 / 36)


def test_ties_count_one_half():
    assert win_probability([1, 2], [1, 2]) == 0.5
    assert win_probability([float("-inf")], [float("-inf")]) == 0.5


def test_win_rates_do_not_depend_on_the_scale_of_scores():
    scores = [[1.0, 5.0], [3.0, 4.0], [-2.0, 0.0]]
    rates = win_rates(scores)
    # First against second 1/2; both always win against the third.
    assert rates == [0.75, 0.75, 0.0]
    assert win_rates([[10.0**x for x in own] for own in scores]) == rates
    assert win_rates([[7.0]]) == [0.5]
