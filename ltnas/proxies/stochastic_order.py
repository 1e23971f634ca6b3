"""Comparison of operations whose scores are random variables (Rumiantsev and Coates 2025)."""

from __future__ import annotations

from collections.abc import Sequence


def win_probability(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the estimated probability that the first score is larger, ties counting one half.

    It is the statistic U of Mann and Whitney (1947), divided by the number of pairs.

    Args:
        first: scores of one candidate in all repeats.
        second: scores of another one.
    """
    pairs = [(x, y) for x in first for y in second]
    return sum((x > y) + 0.5 * (x == y) for x, y in pairs) / len(pairs)


def win_rates(scores: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean probability of each candidate to have a larger score than another.

    Args:
        scores: scores of each candidate in all repeats, [candidates][repeats].

    Returns:
        Numbers in [0, 1], [candidates]; 0.5 for a single candidate.
    """
    rates = []
    for number, own in enumerate(scores):
        others = [other for n, other in enumerate(scores) if n != number]
        wins = [win_probability(own, other) for other in others]
        rates.append(sum(wins) / len(wins) if wins else 0.5)
    return rates
