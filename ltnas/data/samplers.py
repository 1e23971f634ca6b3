"""Samplers: the images of an epoch and their order.

The order of an epoch depends only on the state of a generator and on the progress of the run, so
that it is the same on all ranks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ltnas import config as c


def class_shares(sampler: c.Sampler, counts: Tensor, progress: float) -> Tensor:
    """Return the share of each class among the images of an epoch, float64 [C].

    Args:
        sampler: value on the sampler axis; its `start` is ignored.
        counts: number of images of each class, all above 0, [C].
        progress: completed share of the run, in [0, 1).

    Raises:
        TypeError: the sampler is unknown.
    """
    n = counts.double()
    instance, balanced = n / n.sum(), torch.full_like(n, 1 / len(n))
    match sampler:
        case c.InstanceSampler():
            return instance
        case c.ClassBalancedSampler() | c.OverSampler() | c.UnderSampler():
            return balanced
        case c.SquareRootSampler():  # Mahajan et al. 2018
            return n.sqrt() / n.sqrt().sum()
        case c.ReversedSampler():  # BBN, Zhou et al. 2020, section 4.2
            return n.reciprocal() / n.reciprocal().sum()
        case c.ProgressiveSampler():  # Kang et al. 2020, equation 2
            return (1 - progress) * instance + progress * balanced
        case _:
            raise TypeError(f"{sampler} is not a value on the sampler axis")


def epoch_length(sampler: c.Sampler, counts: Tensor) -> int:
    """Return the number of images of an epoch.

    Args:
        sampler: value on the sampler axis.
        counts: number of images of each class, all above 0, [C].

    Raises:
        TypeError: the sampler is unknown.
    """
    match sampler:
        case c.OverSampler():
            return len(counts) * int(counts.max())
        case c.UnderSampler():
            return len(counts) * int(counts.min())
        case (
            c.InstanceSampler()
            | c.ClassBalancedSampler()
            | c.SquareRootSampler()
            | c.ReversedSampler()
            | c.ProgressiveSampler()
        ):
            return int(counts.sum())
        case _:
            raise TypeError(f"{sampler} is not a value on the sampler axis")


def epoch_order(
    sampler: c.Sampler, labels: Tensor, progress: float, generator: torch.Generator
) -> Tensor:
    """Return the positions of the images of an epoch in their order, int64 [epoch_length].

    Args:
        sampler: value on the sampler axis.
        labels: class numbers of the images, [N]; classes without images are never drawn.
        progress: completed share of the run, in [0, 1).
        generator: source of all random numbers.

    Raises:
        TypeError: the sampler is unknown.
    """
    members, counts = _members(labels)
    length = epoch_length(sampler, counts)
    match sampler if progress >= sampler.start else c.InstanceSampler():
        case c.InstanceSampler():
            return _repeated(torch.arange(len(labels)), length, generator)  # a permutation
        case c.OverSampler() | c.UnderSampler():
            per_class = length // len(members)
            # As many images of every class, then shuffled together.
            order = torch.cat([_repeated(part, per_class, generator) for part in members])
            return order[torch.randperm(length, generator=generator)]
        case drawing:
            shares = class_shares(drawing, counts, progress)
            return _by_class(members, counts, shares, length=length, generator=generator)


def power_order(exponent: float, labels: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """Return the positions of images that are drawn with weights n^-exponent, int64 [length].

    n is the number of images of an image's class. Images are drawn with replacement.

    Args:
        exponent: 0 draws all images alike, 1 all classes.
        labels: class numbers of the images, [N].
        length: number of images to draw.
        generator: source of all random numbers.
    """
    members, counts = _members(labels)
    shares = counts.double() ** (1 - exponent)
    return _by_class(members, counts, shares, length=length, generator=generator)


def _members(labels: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return the positions of the images of each class that has any, and their numbers."""
    members = [(labels == label).nonzero()[:, 0] for label in labels.unique()]
    return members, torch.tensor([len(positions) for positions in members])


def _by_class(
    members: list[Tensor],
    counts: Tensor,
    shares: Tensor,
    *,
    length: int,
    generator: torch.Generator,
) -> Tensor:
    """Draw a class for each image in proportion to `shares`, then an image of it uniformly."""
    drawn = torch.multinomial(shares, length, replacement=True, generator=generator)
    uniform = torch.rand(length, dtype=torch.float64, generator=generator)
    within = (uniform * counts[drawn]).long()
    first = counts.cumsum(0) - counts  # start of each class in the concatenation
    return torch.cat(members)[first[drawn] + within]


def _repeated(positions: Tensor, length: int, generator: torch.Generator) -> Tensor:
    """Return `length` positions from concatenated random permutations of all of them.

    Each position occurs equally often, up to a difference of one.
    """
    rounds = -(-length // len(positions))
    orders = [positions[torch.randperm(len(positions), generator=generator)] for _ in range(rounds)]
    return torch.cat(orders)[:length]


def expected_counts(sampler: c.Sampler, counts: Tensor) -> Tensor:
    """Return the mean number of images of each class in an epoch over the run, float64 [C].

    Losses take these numbers as the class frequencies of their stream.

    Args:
        sampler: value on the sampler axis.
        counts: number of images of each class, all above 0, [C].

    Raises:
        TypeError: the sampler is unknown.
    """
    length, n = epoch_length(sampler, counts), counts.double()
    # Shares are linear in the progress, so that their mean is the one at half of the active time.
    shares = class_shares(sampler, counts, (1 + sampler.start) / 2)
    return length * (sampler.start * n / n.sum() + (1 - sampler.start) * shares)
