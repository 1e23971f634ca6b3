"""Regularised evolution (Real, Aggarwal, Huang and Le 2019, algorithm 1)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

Candidate = TypeVar("Candidate")


def regularised_evolution(
    fitness: Callable[[Candidate], Any],
    draw: Callable[[], Candidate],
    mutate: Callable[[Candidate], Candidate],
    *,
    evaluations: int,
    population: int,
    tournament: int,
    generator: random.Random,
) -> list[tuple[Candidate, Any]]:
    """Return all candidates with their fitness, in the order of their evaluation.

    The first `population` candidates are drawn. Each later one is a mutation of the fittest of
    `tournament` members of the population, which are drawn with replacement, and takes the place of
    the oldest member.

    Args:
        fitness: returns what candidates are compared by; the larger, the fitter.
        draw: draws a candidate.
        mutate: returns a changed candidate.
        evaluations: number of candidates.
        population: number of members of the population.
        tournament: number of members that compete to be a parent.
        generator: draws the members that compete.
    """
    history: list[tuple[Candidate, Any]] = []
    members: deque[tuple[Candidate, Any]] = deque(maxlen=population)  # drops the oldest member
    while len(history) < evaluations:
        if len(history) < population:
            candidate = draw()
        else:
            rivals = [members[generator.randrange(population)] for _ in range(tournament)]
            candidate = mutate(max(rivals, key=lambda member: member[1])[0])
        members.append((candidate, fitness(candidate)))
        history.append(members[-1])
    return history
