"""Which images an epoch shows, and how often: instance-balanced to reversed, exact and seeded.

An epoch's order is a function of its generator and of the progress of the run alone, the same on
all ranks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ltnas import config as c


def class_shares(sampler: c.Sampler, counts: Tensor, progress: float) -> Tensor:
    """Probability of each class, float64 [C], in the drawing samplers.

    Args:
        sampler: that draws classes.
        counts: images of each class, > 0, [C].
        progress: share of the run that is over, in [0, 1).
    """
    n = counts.double()
    instance, balanced = n / n.sum(), torch.full_like(n, 1 / len(n))
    match sampler:
        case c.ClassBalancedSampler():
            return balanced
        case c.SquareRootSampler():  # Mahajan et al. 2018
            return n.sqrt() / n.sqrt().sum()
        case c.ReversedSampler():  # BBN, Zhou et al. 2020, section 4.2
            return n.reciprocal() / n.reciprocal().sum()
        case c.ProgressiveSampler():  # Kang et al. 2020, equation 2
            return (1 - progress) * instance + progress * balanced
        case _:
            return instance


def epoch_length(sampler: c.Sampler, counts: Tensor) -> int:
    """Images of an epoch. Drawing samplers show as many as there are."""
    match sampler:
        case c.OverSampler():
            return len(counts) * int(counts.max())
        case c.UnderSampler():
            return len(counts) * int(counts.min())
        case _:
            return int(counts.sum())


def epoch_order(
    sampler: c.Sampler, labels: Tensor, progress: float, generator: torch.Generator
) -> Tensor:
    """Positions of an epoch's images, int64 [epoch_length].

    Args:
        sampler: value on the sampler axis.
        labels: class numbers of the images, [N]; classes without images are never drawn.
        progress: share of the run that is over, in [0, 1).
        generator: of all that is random.
    """
    members = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    counts = torch.tensor([len(positions) for positions in members])
    length = epoch_length(sampler, counts)
    match sampler if progress >= sampler.start else c.InstanceSampler():
        case c.InstanceSampler():
            return _shown(torch.arange(len(labels)), length, generator)
        case c.OverSampler() | c.UnderSampler():
            each = length // len(members)
            shown = torch.cat([_shown(positions, each, generator) for positions in members])
            return shown[torch.randperm(length, generator=generator)]
        case drawing:
            shares = class_shares(drawing, counts, progress)
            drawn = torch.multinomial(shares, length, replacement=True, generator=generator)
            uniform = torch.rand(length, dtype=torch.float64, generator=generator)
            within = (uniform * counts[drawn]).long()
            first = counts.cumsum(0) - counts
            return torch.cat(members)[first[drawn] + within]


def _shown(positions: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """`length` of the positions in a random order, each as often as any other, or once more."""
    rounds = -(-length // len(positions))
    orders = [positions[torch.randperm(len(positions), generator=generator)] for _ in range(rounds)]
    return torch.cat(orders)[:length]


def expected_counts(sampler: c.Sampler, counts: Tensor) -> Tensor:
    """Images of each class that an epoch shows on average over the run, float64 [C].

    What a loss is to take for the class frequencies: they are those of its stream.
    """
    length, n = epoch_length(sampler, counts), counts.double()
    if isinstance(sampler, c.OverSampler | c.UnderSampler):
        shares = torch.full_like(n, 1 / len(n))
    else:
        shares = class_shares(sampler, counts, (1 + sampler.start) / 2)
    return length * (sampler.start * n / n.sum() + (1 - sampler.start) * shares)
