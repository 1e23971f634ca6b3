"""Two streams read together: one batch of each per step, and the weight of the first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ltnas.axes.schedules import branch_share
from ltnas.data.seeds import derived_seed
from ltnas.data.stream import Batch, Partner, Stream


class TwoStreams:
    """Batches of one stream with batches of a second stream as their partners (BBN).

    Args:
        first: stream of the conventional branch.
        second: stream of the re-balancing branch.
        mixing: name of the schedule of the first stream's share, see `branch_share`.
    """

    def __init__(self, first: Stream, second: Stream, mixing: str) -> None:
        self.first, self.second, self.mixing = first, second, mixing

    @property
    def sampler(self) -> TwoStreams:
        """The object itself: Lightning calls `loader.sampler.set_epoch` before each epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, that the next iteration goes through."""
        self.first.set_epoch(epoch)
        self.second.set_epoch(epoch)

    def __len__(self) -> int:
        return min(len(self.first), len(self.second))

    def __iter__(self) -> Iterator[Batch]:
        # All ranks need the same shares: the generator is seeded from the run and the epoch,
        # whereas torch's global generator differs between ranks.
        random = np.random.default_rng(derived_seed(*self.second.key, self.first.epoch))
        epoch_share = branch_share(self.mixing, self.first.epoch / self.first.epochs)
        for batch, other in zip(self.first, self.second, strict=False):
            # Beta(0.2, 0.2) is drawn for every step; all other schedules move by epoch.
            share = random.beta(0.2, 0.2) if self.mixing == "beta" else epoch_share
            shares = (torch.full((), share, device=batch.labels.device),)
            yield batch._replace(partner=Partner(other.views, other.labels, shares))
