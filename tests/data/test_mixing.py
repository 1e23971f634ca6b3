"""Mixup and CutMix, pixel by pixel."""

import pytest
import torch

from ltnas import config as c
from ltnas.data import mixing
from ltnas.data.mixing import cutmix, draw, draw_for, mix_views, mixup


@pytest.fixture
def pair():
    torch.manual_seed(0)
    return torch.rand(7, 3, 8, 8), torch.rand(7, 3, 8, 8) + 2


def test_mixup_is_its_equation(pair):
    share = torch.linspace(0, 1, 7)
    mixed = mixup(*pair, share)
    for i in range(7):
        expected = share[i] * pair[0][i] + (1 - share[i]) * pair[1][i]
        torch.testing.assert_close(mixed[i], expected)


def test_cutmix_pastes_one_box_and_returns_its_share():
    images, partners = torch.zeros(200, 3, 16, 12), torch.ones(200, 3, 16, 12)
    requested, *centres = torch.rand(3, 200, generator=torch.Generator().manual_seed(3))
    mixed, share = cutmix(images, partners, requested, *centres)
    for i in range(200):
        pasted = mixed[i, 0].bool()
        assert torch.equal(mixed[i], pasted.float().expand(3, -1, -1))
        rows, columns = (pasted.any(axis).nonzero() for axis in (1, 0))
        assert int(pasted.sum()) == len(rows) * len(columns)  # a full box
        assert share[i] == pytest.approx(1 - int(pasted.sum()) / (16 * 12))
        assert share[i] >= requested[i] - 0.07  # boxes are clipped and consist of whole pixels
    middle = torch.full((200,), 0.5)
    _, inside = cutmix(images, partners, requested, middle, middle)
    assert float((inside - requested).abs().max()) < 0.07


def test_shares_of_all_and_of_nothing(pair):
    middle = torch.full((7,), 0.5)
    mixed, share = cutmix(*pair, torch.ones(7), middle, middle)
    assert torch.equal(mixed, pair[0])
    assert torch.equal(share, torch.ones(7))
    mixed, share = cutmix(*pair, torch.zeros(7), middle, middle)
    assert torch.equal(mixed, pair[1])
    assert torch.equal(share, torch.zeros(7))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_shares_are_drawn_from_beta(alpha):
    share = draw(alpha, 20_000, 3).share
    assert float(share.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(share.var()) == pytest.approx(0.25 / (2 * alpha + 1), rel=0.05)


def test_draws_are_determined_by_the_seed():
    first, again, other = draw(1.0, 9, 3), draw(1.0, 9, 3), draw(1.0, 9, 4)
    assert all(torch.equal(*values) for values in zip(first, again, strict=True))
    assert not torch.equal(first.share, other.share)


def test_draws_for_images_and_for_batches():
    for image, own in zip(draw_for(c.CutMix(0.5), 9, 3), draw(0.5, 9, 3), strict=True):
        assert torch.equal(image, own)
        assert len(image.unique()) == 9
    for batch, one in zip(
        draw_for(c.CutMix(0.5, drawn_for="batches"), 9, 3), draw(0.5, 1, 3), strict=True
    ):
        assert torch.equal(batch, one.repeat(9))


def test_images_of_a_batch_share_their_mixture(pair):
    """One lambda and one box for all images, as GLMC has."""
    mix = c.MixupAndCutMix(drawn_for="batches")
    (blended, pasted), shares = mix_views(
        mix, (pair[0] * 0, pair[0] * 0), (pair[1] * 0 + 1, pair[1] * 0 + 1), draw_for(mix, 7, 1)
    )
    assert all(len(share.unique()) == 1 for share in shares)
    torch.testing.assert_close(blended, torch.full_like(blended, 1 - float(shares[0][0])))
    assert torch.equal(pasted, pasted[:1].expand_as(pasted))
    assert float(pasted.mean()) == pytest.approx(1 - float(shares[1][0]))


def test_an_unknown_unit_of_draws_is_refused():
    mix = c.Mixup()
    mix.drawn_for = "pixels"  # the constructor would refuse it, too
    with pytest.raises(ValueError, match=r"pixels is not a value of mix\.drawn_for"):
        draw_for(mix, 7, 1)


def test_each_value_of_the_axis(pair):
    draws = draw(1.0, 7, 1)
    images, partners = pair
    blended = mixup(images, partners, draws.share)
    pasted, kept = cutmix(images, partners, draws.share, draws.centre_y, draws.centre_x)

    def mixed(mix):
        return mix_views(mix, (images, images), (partners, partners), draws)

    for mix, expected, shares in (
        (c.Mixup(), (blended, blended), (draws.share, draws.share)),
        (c.CutMix(), (pasted, pasted), (kept, kept)),
        (c.MixupAndCutMix(), (blended, pasted), (draws.share, kept)),
    ):
        views, own_shares = mixed(mix)
        assert all(torch.equal(*values) for values in zip(views, expected, strict=True))
        assert all(torch.equal(*values) for values in zip(own_shares, shares, strict=True))
    (view, _), (share, _) = mixed(c.MixupOrCutMix())
    chosen = draws.choice < 0.5
    assert 0 < int(chosen.sum()) < 7
    assert torch.equal(view[chosen], blended[chosen])
    assert torch.equal(view[~chosen], pasted[~chosen])
    assert torch.equal(share, torch.where(chosen, draws.share, kept))


@pytest.mark.parametrize("unknown", [c.NoMix(), c.Mix(), c.PlainAugmentation()], ids=repr)
def test_an_unknown_way_of_mixing_is_refused(pair, unknown):
    with pytest.raises(TypeError, match="is not a value on the mix axis"):
        mix_views(unknown, pair[:1], pair[1:], draw(1.0, 7, 1))


MIXES = {
    "mixup": (c.Mixup(), lambda view, choice: torch.ones_like(choice).bool()),
    "cutmix": (c.CutMix(), lambda view, choice: torch.zeros_like(choice).bool()),
    "mixup_or_cutmix": (c.MixupOrCutMix(), lambda view, choice: choice < 0.5),
    "mixup_and_cutmix": (
        c.MixupAndCutMix(),
        lambda view, choice: torch.full_like(choice, view % 2) == 0,
    ),
}
"""Values on the mix axis, and the images that mixup blends in a view; the others have a box."""


@pytest.mark.parametrize("name", MIXES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_results_are_those_of_computing_both_and_selecting(name, layout):
    mix, is_blended = MIXES[name]
    random = torch.rand(2, 3, 7, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    images, partners = ([view.contiguous(memory_format=layout) for view in part] for part in random)
    draws = draw(1.0, 7, 1)
    views, shares = mix_views(mix, tuple(images), tuple(partners), draws)
    assert len(views) == len(shares) == 3
    for view in range(3):
        blended = mixup(images[view], partners[view], draws.share)
        pasted, kept = cutmix(
            images[view], partners[view], draws.share, draws.centre_y, draws.centre_x
        )
        blends = is_blended(view, draws.choice)
        expected = torch.where(blends.view(-1, 1, 1, 1), blended, pasted)
        assert torch.equal(views[view], expected)
        assert views[view].stride() == expected.stride()
        assert torch.equal(shares[view], torch.where(blends, draws.share, kept))


@pytest.mark.parametrize(
    ("mix", "calls"),
    [
        (c.Mixup(), ["mixup", "mixup"]),
        (c.CutMix(), ["cutmix", "cutmix"]),
        (c.MixupAndCutMix(), ["mixup", "cutmix"]),
        (c.MixupOrCutMix(), ["mixup", "cutmix"] * 2),
    ],
    ids=repr,
)
def test_only_what_is_needed_is_computed(pair, monkeypatch, mix, calls):
    computed = []
    for name, function in (("mixup", mixup), ("cutmix", cutmix)):

        def counted(*args, name=name, function=function, **settings):
            computed.append(name)
            return function(*args, **settings)

        monkeypatch.setattr(mixing, name, counted)
    images, partners = pair
    mix_views(mix, (images, images), (partners, partners), draw(1.0, 7, 1))
    assert computed == calls
