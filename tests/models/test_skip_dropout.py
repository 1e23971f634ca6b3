"""Dropout after skip connections."""

import torch
from networks import search_network

from ltnas.models.skip_dropout import DroppedSkip, set_skip_dropout


def test_elements_are_dropped_with_the_probability_and_the_others_scaled():
    torch.manual_seed(0)
    module, x = DroppedSkip(), torch.ones(200_000)
    set_skip_dropout(module, 0.3)
    y = module(x)
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / 0.7))
    # Five standard deviations of a share of 200,000 draws.
    assert abs(float((y == 0).float().mean()) - 0.3) < 0.0052
    assert torch.equal(module.eval()(x), x)


def test_a_probability_of_zero_is_the_plain_supernet():
    torch.manual_seed(0)
    plain = search_network()
    torch.manual_seed(0)
    dropped = search_network(design={"skip_dropout": True})
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(dropped(images), plain(images))
    set_skip_dropout(dropped, 0.5)
    assert not torch.allclose(dropped(images), plain(images))
    plain.load_state_dict(dropped.state_dict())
    torch.testing.assert_close(dropped.eval()(images), plain.eval()(images))
