"""Data module: its streams, their settings, and the batches of test images."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ltnas import config as c
from ltnas.data.augment import PlainView
from ltnas.data.long_tail import load_long_tail
from ltnas.data.module import LongTailData, Plan, second_stream
from ltnas.data.stream import Stream
from ltnas.data.two_streams import TwoStreams


@pytest.fixture(scope="module")
def long_tail():
    return load_long_tail(c.Data("digits"), c.Imbalance("exp", 0.1))


@pytest.fixture
def build(long_tail):
    """Function that sets a data module up for rank 1 of 2 on the CPU."""

    def _build(**plans):
        data = LongTailData(long_tail, plans, batch_size=32, seed=7, epochs=5)
        strategy = SimpleNamespace(root_device=torch.device("cpu"))
        data.trainer = SimpleNamespace(strategy=strategy, global_rank=1, world_size=2)
        data.setup("fit")
        return data

    return _build


def plan(long_tail, **settings):
    view = PlainView(long_tail.normalisation, 1, False)
    return Plan(np.arange(200), c.ReversedSampler(start=0.5), (view,), **settings)


def test_streams_have_the_settings_of_plan_run_and_trainer(long_tail, build):
    mix = c.Mixup(alpha=0.4)
    loader = build(weights=plan(long_tail), architecture=plan(long_tail, mix=mix))
    streams = loader.train_dataloader().iterables
    assert list(streams) == ["weights", "architecture"]
    for number, stream in enumerate(streams.values()):
        assert isinstance(stream, Stream)
        assert stream.key == (7, number)
        assert (stream.rank, stream.ranks, stream.epochs) == (1, 2, 5)
        assert stream.batch_size == 32
        assert stream.sampler_config == c.ReversedSampler(start=0.5)
        assert len(stream.indices) == 200
    assert [stream.mix for stream in streams.values()] == [None, mix]


def test_second_streams_are_numbered_after_all_first_ones(long_tail, build):
    pair = plan(long_tail, rebalancing=c.ClassBalancedSampler(), mixing="linear")
    streams = build(weights=pair, architecture=pair).train_dataloader().iterables.values()
    assert all(isinstance(stream, TwoStreams) for stream in streams)
    assert [stream.first.key for stream in streams] == [(7, 0), (7, 1)]
    assert [stream.second.key for stream in streams] == [(7, 2), (7, 3)]
    for stream in streams:
        assert stream.second.sampler_config == c.ClassBalancedSampler()
        assert stream.mixing == "linear"


def test_test_batches_are_all_test_images_in_order(long_tail, build):
    batches = build(weights=plan(long_tail)).val_dataloader()
    assert len(batches) == len(list(batches)) == 4  # 362 images, 100 in a batch
    labels = torch.cat([batch.labels for batch in batches])
    assert torch.equal(labels, long_tail.test.labels)
    views = torch.cat([batch.views[0] for batch in batches])
    expected = long_tail.normalisation.standardise_bytes(long_tail.test.images)
    torch.testing.assert_close(views, expected)


def test_branches_decide_on_a_second_stream():
    sampler = c.ReversedSampler()
    assert second_stream(c.OneBranch(), sampler) == (None, "parabolic")
    assert second_stream(c.TwoBranches(mixing="beta"), sampler) == (sampler, "beta")
    with pytest.raises(TypeError, match="is not a value on the branches axis"):
        second_stream(c.Branches(), sampler)
