"""Scores of candidates, and Kendall's tau of scores and accuracies."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, stdev

import torch
from torch import nn
from torchmetrics.functional import kendall_rank_corrcoef

from ltnas.config import RankConfig
from ltnas.data.seeds import derived_seed
from ltnas.proxies.batch import ProxyBatch
from ltnas.proxies.table import PROXIES
from ltnas.proxies.untrained import NetworkSize, untrained_network
from ltnas.ranking.candidates import Candidate
from ltnas.space.genotype import Genotype
from ltnas.space.layout import chosen_stem

FEWEST = 3
"""Fewest genotypes with accuracies for Kendall's tau."""


@dataclass(frozen=True)
class Scored:
    """A candidate with its scores.

    Args:
        candidate: genotype and accuracies.
        scores: for each proxy the score of each draw of weights.
    """

    candidate: Candidate
    scores: dict[str, list[float]]

    def mean(self, proxy: str) -> float:
        """Return the mean score over the draws of weights."""
        return fmean(self.scores[proxy])

    def deviation(self, proxy: str) -> float | None:
        """Return the standard deviation over the draws; None for a single one."""
        values = self.scores[proxy]
        # Differences of infinite scores are no numbers.
        finite = len(values) > 1 and all(map(math.isfinite, values))
        return stdev(values) if finite else None


def score_candidate(
    config: RankConfig,
    candidate: Candidate,
    batch: ProxyBatch,
    begin: Callable[[str], None] = lambda proxy: None,
) -> Scored:
    """Compute all proxies of a candidate with weights drawn `repeats` times.

    Every candidate gets the same seeds and the same images.

    Args:
        config: proxies, sizes and seed.
        candidate: genotype to score.
        batch: images, on the device to compute on.
        begin: function that is told each proxy before it is computed.
    """
    scores: dict[str, list[float]] = {name: [] for name in config.names}
    for repeat in range(config.repeats):
        seed = derived_seed(config.seed, repeat)
        network = draw_network(config, candidate.genotype, batch, seed)
        for name, values in scores.items():
            begin(name)
            values.append(PROXIES[name](network, batch, seed))
    return Scored(candidate, scores)


def draw_network(config: RankConfig, genotype: Genotype, batch: ProxyBatch, seed: int) -> nn.Module:
    """Build the network of a genotype on the device of a batch, with weights drawn from a seed."""
    size = NetworkSize(
        channels=config.channels,
        cells=config.cells,
        enhancement_cells=config.enhancement_cells,
        classes=batch.classes,
        stem=chosen_stem(config.stem, batch.images.shape[-1]),
    )
    network = untrained_network(genotype, size, seed)
    # On the CPU and on GPUs, convolutions are faster in this layout.
    return network.to(batch.images.device).to(memory_format=torch.channels_last)


def agreements(scored: list[Scored], proxies: list[str]) -> dict[str, float | None]:
    """Return Kendall's tau (tau-b) of accuracies and scores for each proxy.

    None if fewer than three genotypes have an accuracy and a score, or if all scores or all
    accuracies are equal.

    Args:
        scored: candidates; those without accuracy are left out.
        proxies: names of the proxies.
    """
    return {proxy: _agreement(scored, proxy) for proxy in proxies}


def _agreement(scored: list[Scored], proxy: str) -> float | None:
    pairs = [
        (one.mean(proxy), one.candidate.accuracy)
        for one in scored
        if one.candidate.accuracy is not None and not math.isnan(one.mean(proxy))
    ]
    if len(pairs) < FEWEST:
        return None
    scores, accuracies = torch.tensor(pairs, dtype=torch.float64).T
    tau = float(kendall_rank_corrcoef(scores, accuracies))
    return None if math.isnan(tau) else tau


def ranks(scored: list[Scored], proxy: str) -> list[float]:
    """Return the rank of each candidate by a proxy, 1 for the best; equal scores share the mean.

    A score that is no number is worse than all others.
    """
    scores = [-math.inf if math.isnan(one.mean(proxy)) else one.mean(proxy) for one in scored]
    better = [sum(other > score for other in scores) for score in scores]
    return [
        rank + (scores.count(score) + 1) / 2 for rank, score in zip(better, scores, strict=True)
    ]


def mean_ranks(scored: list[Scored], proxies: list[str]) -> list[float]:
    """Return the mean rank of each candidate over proxies."""
    columns = [ranks(scored, proxy) for proxy in proxies]
    return [fmean(row) for row in zip(*columns, strict=True)]


def in_order(scored: list[Scored], proxies: list[str]) -> list[Scored]:
    """Return candidates with accuracies by these, best first, and then the others by mean rank."""
    order = mean_ranks(scored, proxies)

    def key(place: int) -> tuple[float, float]:
        accuracy = scored[place].candidate.accuracy
        return (math.inf if accuracy is None else -accuracy), order[place]

    return [scored[place] for place in sorted(range(len(scored)), key=key)]
