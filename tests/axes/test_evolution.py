"""Regularised evolution on problems whose course is known."""

import random

from ltnas.axes.evolution import regularised_evolution


def evolve(fitness, draw, mutate, **sizes):
    numbers = {"evaluations": 12, "population": 3, "tournament": 2} | sizes
    return regularised_evolution(fitness, draw, mutate, **numbers, generator=random.Random(0))


def test_a_tournament_of_everyone_has_the_fittest_of_the_population_as_parent():
    # With replacement, 200 draws of 3 members leave none of them out but for 1e-35.
    drawn = iter([5, 1, 2])
    history = evolve(float, lambda: next(drawn), lambda parent: parent - 1, tournament=200)
    # 5 stays a parent until it is the oldest of three members and is dropped.
    assert [value for value, _ in history[:6]] == [5, 1, 2, 4, 3, 3]


def test_the_oldest_member_dies_even_if_it_is_the_fittest():
    drawn = iter([100, 1, 2])
    history = evolve(float, lambda: next(drawn), lambda parent: 0, tournament=200)
    assert [value for value, _ in history] == [100, 1, 2, *[0] * 9]


def test_evolution_climbs_where_random_draws_do_not():
    generator = random.Random(3)

    def draw():
        return tuple(generator.randrange(2) for _ in range(40))

    def mutate(bits):
        place = generator.randrange(40)
        return (*bits[:place], 1 - bits[place], *bits[place + 1 :])

    sizes = {"evaluations": 1000, "population": 20, "tournament": 5}
    best = max(value for _, value in evolve(sum, draw, mutate, **sizes))
    assert best >= 38
    # The best of 1000 draws of 40 coins: more than 34 heads has the probability 1e-6 a draw.
    assert max(sum(draw()) for _ in range(1000)) <= 34


def test_every_candidate_is_evaluated_once():
    calls = []
    history = evolve(lambda value: calls.append(value) or value, lambda: 1, lambda parent: parent)
    assert len(history) == len(calls) == 12
