"""Two streams at once: a batch of each, and how much the first of them counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ltnas.axes.schedules import branch_share
from ltnas.data.seeds import derived_seed
from ltnas.data.stream import Batch, Partner, Stream


class TwoStreams:
    """Batches of a stream, with those of a second one as partners.

    Args:
        first: of the conventional branch.
        second: of the re-balancing branch.
        mixing: how the first one's share moves over the epochs, see `branch_share`.
    """

    def __init__(self, first: Stream, second: Stream, mixing: str) -> None:
        self.first, self.second, self.mixing = first, second, mixing

    @property
    def sampler(self) -> TwoStreams:
        """Itself: Lightning calls `loader.sampler.set_epoch` before each epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose order the next iteration has."""
        self.first.set_epoch(epoch)
        self.second.set_epoch(epoch)

    def __len__(self) -> int:
        return min(len(self.first), len(self.second))

    def __iter__(self) -> Iterator[Batch]:
        # Of a seed and not of torch's generator, which is another on each rank.
        random = np.random.default_rng(derived_seed(*self.second.key, self.first.epoch))
        share = branch_share(self.mixing, self.first.epoch / self.first.epochs)
        for batch, other in zip(self.first, self.second, strict=False):
            own = random.beta(0.2, 0.2) if self.mixing == "beta" else share
            shares = (torch.full((), own, device=batch.labels.device),)
            yield batch._replace(partner=Partner(other.views, other.labels, shares))
