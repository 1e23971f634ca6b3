"""Mixup and CutMix, pixel by pixel."""

import pytest
import torch

from ltnas import config as c
from ltnas.data.mixing import cutmix, draw, mix_views, mixup


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


def test_cutmix_pastes_one_box_and_tells_how_large():
    images, partners = torch.zeros(200, 3, 16, 12), torch.ones(200, 3, 16, 12)
    asked, *centres = torch.rand(3, 200, generator=torch.Generator().manual_seed(3))
    mixed, share = cutmix(images, partners, asked, *centres)
    for i in range(200):
        pasted = mixed[i, 0].bool()
        assert torch.equal(mixed[i], pasted.float().expand(3, -1, -1))
        rows, columns = (pasted.any(axis).nonzero() for axis in (1, 0))
        assert int(pasted.sum()) == len(rows) * len(columns)  # a full box
        assert share[i] == pytest.approx(1 - int(pasted.sum()) / (16 * 12))
        assert share[i] >= asked[i] - 0.07  # what sticks out is lost; pixels are whole
    middle = torch.full((200,), 0.5)
    _, inside = cutmix(images, partners, asked, middle, middle)
    assert float((inside - asked).abs().max()) < 0.07


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


def test_draws_are_of_the_seed():
    first, again, other = draw(1.0, 9, 3), draw(1.0, 9, 3), draw(1.0, 9, 4)
    assert all(torch.equal(*values) for values in zip(first, again, strict=True))
    assert not torch.equal(first.share, other.share)


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
        views, own = mixed(mix)
        assert all(torch.equal(*values) for values in zip(views, expected, strict=True))
        assert all(torch.equal(*values) for values in zip(own, shares, strict=True))
    (view, _), (share, _) = mixed(c.MixupOrCutMix())
    chosen = draws.choice < 0.5
    assert 0 < int(chosen.sum()) < 7
    assert torch.equal(view[chosen], blended[chosen])
    assert torch.equal(view[~chosen], pasted[~chosen])
    assert torch.equal(share, torch.where(chosen, draws.share, kept))


def test_nothing_is_no_way_of_mixing(pair):
    with pytest.raises(TypeError, match="mix axis"):
        mix_views(c.NoMix(), pair[:1], pair[1:], draw(1.0, 7, 1))
