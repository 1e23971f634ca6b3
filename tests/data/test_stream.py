"""Order and draws of a stream, which depend only on seed, epoch and stream."""

from dataclasses import dataclass

import pytest
import torch

from ltnas import config as c
from ltnas.data.placement import OnDevice
from ltnas.data.seeds import generator
from ltnas.data.stream import Stream


@dataclass(frozen=True)
class ShowDraws:
    """View that returns its draws and its images, [B, draws + pixels]."""

    draws: int

    def __call__(self, images, random):
        assert random.shape == (len(images), self.draws)
        return torch.cat([random, images.float().flatten(1)], 1)


IMAGES = 53
# Image i has pixels i and label i, so that each row tells which image it is.
DATA = OnDevice(
    torch.arange(IMAGES, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2).contiguous(),
    torch.arange(IMAGES),
)
INDICES = torch.arange(IMAGES - 1, 2, -1)  # 50 of them
VIEWS = (ShowDraws(3), ShowDraws(2))


def make(batch_size=8, seed=0, number=0, indices=INDICES, views=VIEWS, **ranks):
    return Stream(DATA, indices, batch_size, views, seed=seed, number=number, **ranks)


def batches(stream, epoch):
    stream.set_epoch(epoch)
    return list(stream)


def labels(stream, epoch):
    return torch.cat([batch.labels for batch in batches(stream, epoch)]).tolist()


def same(first, second):
    return len(first) == len(second) and all(
        torch.equal(a.labels, b.labels)
        and len(a.views) == len(b.views)
        and all(torch.equal(*pair) for pair in zip(a.views, b.views, strict=True))
        for a, b in zip(first, second, strict=True)
    )


def test_a_sampler_decides_length_and_order():
    labels = torch.tensor([0] * 40 + [1] * 8 + [2] * 5)
    data = OnDevice(DATA.images, labels)

    def shown(sampler, epoch, epochs=10, **ranks):
        settings = {"seed": 0, "number": 0, "sampler": sampler, "epochs": epochs, **ranks}
        stream = Stream(data, torch.arange(IMAGES), 8, VIEWS, **settings)
        return torch.cat([batch.labels for batch in batches(stream, epoch)])

    assert len(shown(c.OverSampler(), 0)) == 120
    assert len(shown(c.UnderSampler(), 0)) == 8
    assert shown(c.OverSampler(), 0).bincount().tolist() == [40, 40, 40]
    early, late = (shown(c.ReversedSampler(start=0.5), e).bincount(minlength=3) for e in (4, 5))
    assert early[0] > 30
    assert late[0] < 15
    whole = shown(c.ReversedSampler(), 3)
    parts = [shown(c.ReversedSampler(), 3, rank=rank, ranks=2) for rank in (0, 1)]
    merged = torch.stack([part.view(-1, 4) for part in parts], dim=2).flatten()
    assert torch.equal(merged, whole)


def test_an_epoch_does_not_depend_on_those_before_it_or_on_the_global_generator():
    fresh = batches(make(), 4)
    used = make()
    for epoch in range(4):
        batches(used, epoch)
        torch.rand(17)
    iterator = iter(used)
    next(iterator)  # an unfinished epoch
    state = torch.get_rng_state()
    torch.manual_seed(99)
    again = batches(used, 4)
    torch.set_rng_state(state)
    assert same(fresh, again)
    assert same(again, batches(used, 4))


def test_iterating_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    batches(make(), 0)
    assert torch.equal(before, torch.get_rng_state())


def test_iterating_twice_gives_the_same_epoch_and_set_epoch_another():
    stream = make()
    assert same(list(stream), list(stream))
    assert same(list(stream), batches(stream, 0))
    assert not same(batches(stream, 0), batches(stream, 1))


@pytest.mark.parametrize("other", [{"seed": 1}, {"number": 1}], ids=["seed", "stream"])
def test_seeds_and_streams_have_orders_and_draws_of_their_own(other):
    mine, theirs = batches(make(), 0), batches(make(**other), 0)
    assert [batch.labels.tolist() for batch in mine] != [batch.labels.tolist() for batch in theirs]
    assert not any(
        torch.equal(a.views[0][:, :3], b.views[0][:, :3]) for a, b in zip(mine, theirs, strict=True)
    )


def test_epochs_and_steps_have_orders_and_draws_of_their_own():
    stream = make()
    orders, draws = set(), set()
    for epoch in range(5):
        for batch in batches(stream, epoch):
            orders.add(tuple(batch.labels.tolist()))
            draws.update(batch.views[0][:, :3].flatten().tolist())
            draws.update(batch.views[1][:, :2].flatten().tolist())
    assert len(orders) == 5 * 6
    # Draws have 24 bits: a few of the 1,200 may be equal, but using a generator twice would
    # halve the number of different ones.
    assert len(draws) > 0.99 * 5 * 48 * 5


def test_a_generator_is_a_function_of_its_key():
    def first(*key):
        return torch.rand(4, generator=generator(*key)).tolist()

    assert first(0, 1, 2) == first(0, 1, 2)
    keys = [(0, 0, 1), (0, 1, 0, 5), (1, 0, 0, 5), (0, 0, 0, 5), (0, 0, 1, 5), (0, 0, 0, 6)]
    assert len({tuple(first(*key)) for key in keys}) == len(keys)


@pytest.mark.parametrize("batch_size", [8, 25, 7, 50])
def test_an_epoch_shows_each_image_once_less_the_remainder(batch_size):
    stream = make(batch_size)
    seen = batches(stream, 3)
    assert len(seen) == len(stream) == 50 // batch_size
    assert all(len(batch.labels) == batch_size for batch in seen)
    order = labels(stream, 3)
    assert len(set(order)) == len(order) == 50 // batch_size * batch_size
    assert set(order) <= set(INDICES.tolist())
    assert order != sorted(order)


def test_every_image_has_its_turn_although_a_remainder_is_dropped():
    stream = make(7)
    seen = set()
    for epoch in range(20):
        seen.update(labels(stream, epoch))
    assert seen == set(INDICES.tolist())


def test_a_stream_smaller_than_a_batch_gives_one_batch_of_all():
    stream = make(64)
    assert len(stream) == 1
    for epoch in range(2):
        (batch,) = batches(stream, epoch)
        assert sorted(batch.labels.tolist()) == sorted(INDICES.tolist())


def test_images_and_draws_of_the_views_belong_to_the_labels():
    for batch in batches(make(), 2):
        for view, draws in zip(batch.views, (3, 2), strict=True):
            assert torch.equal(view[:, draws:], batch.labels.float()[:, None].expand(-1, 12))
            assert ((view[:, :draws] >= 0) & (view[:, :draws] < 1)).all()
        assert not torch.isin(batch.views[0][:, :3], batch.views[1][:, :2]).any()


def test_draws_are_uniform_and_one_row_an_image():
    stream = make(50, views=(ShowDraws(40),))
    (batch,) = batches(stream, 0)
    draws = batch.views[0][:, :40]
    assert draws.unique(dim=0).shape[0] == 50
    assert abs(draws.mean() - 0.5) < 0.03
    assert draws.min() < 0.01
    assert draws.max() > 0.99


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_batches_of_all_ranks_interleave_to_that_of_one_process(ranks):
    whole = batches(make(), 5)
    shares = [batches(make(rank=rank, ranks=ranks), 5) for rank in range(ranks)]
    for step, batch in enumerate(whole):
        assert all(len(share[step].labels) == 8 // ranks for share in shares)
        for row in range(8):
            part, row_of_rank = shares[row % ranks][step], row // ranks
            assert part.labels[row_of_rank] == batch.labels[row]
            for part_view, view in zip(part.views, batch.views, strict=True):
                assert torch.equal(part_view[row_of_rank], view[row])


def test_a_small_stream_gives_every_rank_as_many_images():
    shares = [batches(make(64, indices=INDICES[:9], rank=rank, ranks=2), 0) for rank in (0, 1)]
    assert [len(share) for share in shares] == [1, 1]
    (first,), (second,) = shares
    assert len(first.labels) == len(second.labels) == 4
    assert not set(first.labels.tolist()) & set(second.labels.tolist())


def test_lightning_reaches_set_epoch_through_the_sampler():
    stream = make()
    stream.sampler.set_epoch(3)
    assert same(list(stream), batches(make(), 3))


@dataclass(frozen=True)
class ShowImages:
    """View that returns its images as floats."""

    draws: int = 1

    def __call__(self, images, random):
        return images.float()


def test_each_image_is_mixed_with_the_next():
    plain = batches(make(views=(ShowImages(),)), 2)
    mixed = batches(make(views=(ShowImages(),), mix=c.Mixup()), 2)
    assert len(plain) == len(mixed)
    for before, after in zip(plain, mixed, strict=True):
        assert torch.equal(after.labels, before.labels)
        assert torch.equal(after.partner.labels, before.labels.roll(-1))
        assert after.partner.views == ()
        (share,) = after.partner.shares
        assert len(set(share.tolist())) == 8
        expected = share * before.labels + (1 - share) * before.labels.roll(-1)
        torch.testing.assert_close(after.views[0][:, 0, 0, 0], expected)


def test_ranks_mix_as_one_process_would():
    views = (ShowImages(), ShowImages())
    whole = batches(make(views=views, mix=c.MixupAndCutMix()), 1)
    parts = [batches(make(views=views, mix=c.MixupAndCutMix(), rank=r, ranks=2), 1) for r in (0, 1)]
    for batch, *rank_batches in zip(whole, *parts, strict=True):
        for number, view in enumerate(batch.views):
            merged = torch.stack([part.views[number] for part in rank_batches], 1).flatten(0, 1)
            assert torch.equal(merged, view)
            shares = torch.stack(
                [part.partner.shares[number] for part in rank_batches], 1
            ).flatten()
            assert torch.equal(shares, batch.partner.shares[number])
        merged = torch.stack([part.partner.labels for part in rank_batches], 1).flatten()
        assert torch.equal(merged, batch.partner.labels)


@pytest.mark.parametrize("q", [0.0, 1.0])
def test_partners_may_be_drawn_by_their_class(q):
    """Each batch keeps its images; their partners have views and draws of their own."""
    plain = batches(make(views=(ShowImages(),)), 2)
    mix = c.Mixup(partner_exponent=q, drawn_for="batches")
    mixed = batches(make(views=(ShowImages(),), mix=mix), 2)
    for before, after in zip(plain, mixed, strict=True):
        assert torch.equal(after.labels, before.labels)
        (share,) = after.partner.shares
        assert len(share.unique()) == 1
        expected = share * before.labels + (1 - share) * after.partner.labels
        torch.testing.assert_close(after.views[0][:, 0, 0, 0], expected)
    assert not all(
        torch.equal(after.partner.labels, before.labels.roll(-1))
        for before, after in zip(plain, mixed, strict=True)
    )
    assert same(batches(make(views=(ShowImages(),), mix=mix), 2), mixed)
    other = batches(make(views=(ShowImages(),), mix=mix), 3)
    assert not torch.equal(other[0].partner.labels, mixed[0].partner.labels)


def test_ranks_share_drawn_partners():
    mix = c.Mixup(partner_exponent=0.2)
    whole = batches(make(views=(ShowImages(),), mix=mix), 1)
    parts = [batches(make(views=(ShowImages(),), mix=mix, rank=r, ranks=2), 1) for r in (0, 1)]
    for batch, *halves in zip(whole, *parts, strict=True):
        for tensor, *of_ranks in zip(
            batch.tensors(), *(half.tensors() for half in halves), strict=True
        ):
            assert torch.equal(torch.stack(of_ranks, 1).flatten(0, 1), tensor)


def test_no_mixing_is_the_plain_stream():
    assert same(batches(make(mix=c.NoMix()), 0), batches(make(), 0))
