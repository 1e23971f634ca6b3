"""Two streams read together: batches of both, and the share of the first."""

from dataclasses import dataclass

import pytest
import torch

from ltnas import config as c
from ltnas.data.placement import OnDevice
from ltnas.data.stream import Stream
from ltnas.data.two_streams import TwoStreams

LABELS = torch.tensor([0] * 40 + [1] * 8 + [2] * 5)
DATA = OnDevice(torch.zeros(53, 3, 2, 2, dtype=torch.uint8), LABELS)


@dataclass(frozen=True)
class ShowDraws:
    """View that returns its draws."""

    draws: int = 2

    def __call__(self, images, random):
        return random


def pair(mixing="parabolic", seed=0, **ranks):
    first, second = (
        Stream(
            DATA,
            torch.arange(53),
            8,
            (ShowDraws(),),
            seed=seed,
            number=number,
            sampler=sampler,
            **settings,
        )
        for number, sampler in ((0, c.InstanceSampler()), (2, c.ReversedSampler()))
        for settings in ({"epochs": 10, **ranks},)
    )
    return TwoStreams(first, second, mixing)


def epoch(streams, number):
    streams.sampler.set_epoch(number)
    return list(streams)


def test_each_batch_has_one_of_the_second_stream_beside_it():
    streams = pair()
    mixed = epoch(streams, 3)
    assert len(mixed) == len(streams) == 53 // 8
    streams.first.set_epoch(3)
    streams.second.set_epoch(3)
    for batch, first, second in zip(mixed, streams.first, streams.second, strict=True):
        assert torch.equal(batch.labels, first.labels)
        assert torch.equal(batch.views[0], first.views[0])
        assert torch.equal(batch.partner.labels, second.labels)
        assert torch.equal(batch.partner.views[0], second.views[0])
        assert not torch.equal(batch.views[0], batch.partner.views[0])
    labels = torch.cat([batch.partner.labels for batch in mixed])
    assert labels.bincount(minlength=3)[0] < 20  # of 48, most of them of the large class


@pytest.mark.parametrize(("mixing", "expected"), [("parabolic", 0.91), ("linear", 0.7)])
def test_shares_are_those_of_the_epoch(mixing, expected):
    for batch in epoch(pair(mixing), 3):
        (share,) = batch.partner.shares
        assert share.shape == ()
        assert float(share) == pytest.approx(expected)


def test_drawn_shares_differ_by_step_and_epoch_and_not_by_rank():
    def shares(number, **ranks):
        return [float(batch.partner.shares[0]) for batch in epoch(pair("beta", **ranks), number)]

    drawn = shares(3)
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= share <= 1 for share in drawn)
    assert shares(3, rank=1, ranks=2) == drawn
    assert shares(4) != drawn
    assert shares(3, seed=1) != drawn


def test_drawn_shares_are_mostly_near_an_end():
    # Beta(0.2, 0.2): mean 1/2, variance 1/4 / 1.4
    shares = torch.tensor(
        [float(batch.partner.shares[0]) for e in range(300) for batch in epoch(pair("beta"), e)]
    )
    assert len(shares) == 1800
    assert abs(float(shares.mean()) - 0.5) < 0.05
    assert abs(float(shares.var()) - 0.25 / 1.4) < 0.015


def test_ranks_share_each_batch_of_either_stream():
    whole = epoch(pair(), 2)
    parts = [epoch(pair(rank=rank, ranks=2), 2) for rank in (0, 1)]
    for batch, *shares in zip(whole, *parts, strict=True):
        merged = torch.stack([part.partner.labels for part in shares], 1).flatten()
        assert torch.equal(merged, batch.partner.labels)
