"""Scores of candidates, their ranks, and Kendall's tau."""

import math

import pytest
import torch
from tiny_networks import random_batch

from ltnas.config import RankConfig
from ltnas.ranking.candidates import Candidate
from ltnas.ranking.scores import (
    Scored,
    agreements,
    draw_network,
    in_order,
    mean_ranks,
    ranks,
    score_candidate,
)
from ltnas.space.genotype import load_genotype

GENOTYPE = load_genotype("darts_v2")[0]
BATCH = random_batch()
CONFIG = RankConfig(
    genotype=["darts_v2"], proxies=["l2_norm", "macs"], channels=4, cells=3, repeats=2
)


def scored(score, accuracy=None, name=""):
    accuracies = () if accuracy is None else (accuracy,)
    return Scored(Candidate(name, GENOTYPE, accuracies), {"nwot": [score]})


def tau(*pairs):
    return agreements([scored(*pair) for pair in pairs], ["nwot"])["nwot"]


def test_tau_counts_pairs_in_the_same_order():
    # Of six pairs five agree and one does not.
    assert tau((1, 0.1), (2, 0.2), (4, 0.3), (3, 0.4)) == pytest.approx((5 - 1) / 6)
    assert tau((-math.inf, 0.1), (2, 0.2), (4, 0.3)) == pytest.approx(1)


def test_tau_with_ties_is_tau_b():
    # One pair ties in the scores: (2 - 0) / sqrt((3 - 1) * 3).
    assert tau((1, 0.1), (1, 0.2), (2, 0.3)) == pytest.approx(2 / math.sqrt(6))


@pytest.mark.parametrize(
    "pairs",
    [
        [(1, 0.1), (2, 0.2)],
        [(1, 0.1), (2, 0.2), (3, None)],
        [(1, 0.1), (2, 0.2), (math.nan, 0.3)],
        [(1, 0.1), (1, 0.2), (1, 0.3)],
    ],
)
def test_no_tau_of_few_or_equal_scores(pairs):
    assert tau(*pairs) is None


def test_ranks_of_ties_and_of_no_numbers():
    assert ranks([scored(s) for s in (3, math.nan, 5, 3, -math.inf)], "nwot") == [
        *(2.5, 4.5, 1, 2.5, 4.5)
    ]


def test_mean_ranks():
    two = [
        Scored(Candidate("", GENOTYPE), {"nwot": [a], "macs": [b]})
        for a, b in ((1, 9), (2, 8), (3, 7.5))
    ]
    assert mean_ranks(two, ["nwot", "macs"]) == [2, 2, 2]


def test_order_is_by_accuracy_and_then_by_rank():
    all_of_them = [scored(1, None, "a"), scored(9, None, "b"), scored(2, 0.5, "c")]
    all_of_them.append(scored(0, 0.7, "d"))
    order = in_order(all_of_them, ["nwot"])
    assert [one.candidate.name for one in order] == ["d", "c", "b", "a"]


def test_scores_are_those_of_networks_with_other_weights():
    told = []
    result = score_candidate(CONFIG, Candidate("", GENOTYPE), BATCH, told.append)
    assert told == ["l2_norm", "macs"] * 2
    first, second = result.scores["l2_norm"]
    assert first != second
    assert result.mean("l2_norm") == pytest.approx((first + second) / 2)
    assert result.deviation("l2_norm") == pytest.approx(abs(first - second) / math.sqrt(2))
    assert result.deviation("macs") == 0
    assert scored(1).deviation("nwot") is None
    again = score_candidate(CONFIG, Candidate("", GENOTYPE), BATCH)
    assert again.scores == result.scores


def test_networks_are_drawn_from_the_seed_alone():
    before = torch.random.get_rng_state()
    one, two = (draw_network(CONFIG, GENOTYPE, BATCH, 5).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one["classifier.weight"].shape[0] == BATCH.classes
