"""View of images that are stored larger than the network sees them."""

import pytest
import torch

from ltnas import config as c
from ltnas.data.augment import Normalisation, TwinView, cutout, resized_crop
from ltnas.data.long_tail import load_long_tail
from ltnas.data.rand_augment import RandAugment
from ltnas.data.resized_view import ResizedView
from ltnas.objectives.build import build_views

STANDARD = Normalisation((0.4, 0.5, 0.6), (0.2, 0.25, 0.3), side=8)
GENERATOR = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (6, 3, 12, 12), generator=GENERATOR, dtype=torch.uint8)


def test_a_view_is_a_resized_crop_then_flip_normalisation_and_cutout():
    random = torch.rand(6, 7, generator=torch.Generator().manual_seed(1))
    random[:, 4] = torch.tensor([0.1, 0.9] * 3)
    view = ResizedView(STANDARD, 8, 0.3, flip=True, cutout=4)
    assert view.draws == 7
    crop = resized_crop(IMAGES.float(), 0.3, random[:, :4], random[:, 4] < 0.5, side=8)
    expected = cutout(STANDARD(crop / 255), 4, random[:, 5], random[:, 6])
    torch.testing.assert_close(view(IMAGES, random), expected)
    assert expected.shape == (6, 3, 8, 8)


def test_a_crop_of_everything_scales_the_image():
    line = torch.arange(12.0).expand(1, 3, 12, 12)
    crop = resized_crop(line, 1.0, torch.rand(1, 4), torch.tensor([False]), side=6)
    # The ratio of width and height varies, but a window of the whole area is the image.
    random = torch.tensor([[0.5, 0.5, 0.5, 0.5]])
    crop = resized_crop(line, 1.0, random, torch.tensor([False]), side=6)
    torch.testing.assert_close(crop[0, 0, 0], torch.arange(6.0) * 2 + 0.5)


def test_a_policy_sees_the_cropped_bytes():
    policy = RandAugment(count=2, magnitude=9)
    view = ResizedView(STANDARD, 8, 0.3, flip=False, policy=policy)
    assert view.draws == 7 + policy.draws
    random = torch.rand(6, view.draws, generator=torch.Generator().manual_seed(1))
    crop = resized_crop(IMAGES.float(), 0.3, random[:, :4], torch.zeros(6).bool(), side=8)
    expected = STANDARD(policy(crop.round().byte(), random[:, 7:]).float() / 255)
    torch.testing.assert_close(view(IMAGES, random), expected)


def test_tests_see_the_central_square():
    torch.testing.assert_close(
        STANDARD.standardise_bytes(IMAGES), STANDARD(IMAGES[:, :, 2:10, 2:10].float() / 255)
    )


@pytest.mark.parametrize("objective", [c.CrossEntropy(), c.BarlowTwins(), c.MaskedReconstruction()])
def test_each_objective_sees_crops_of_images_that_are_stored_larger(objective):
    data = c.Data("digits", image_size=8, stored_size=12, min_crop_area=0.5)
    tail = load_long_tail(data, c.Imbalance("exp", 0.1))
    assert tail.train.size == (12, 12)
    assert (tail.image_size, tail.view_size) == (8, (8, 8))
    views = build_views(objective, data, tail.normalisation, size=tail.view_size)
    first = views[0]
    assert isinstance(first, TwinView if isinstance(objective, c.BarlowTwins) else ResizedView)
    for view in views:
        shown = view(tail.train.take(torch.arange(3)), torch.rand(3, view.draws))
        assert shown.shape[2:] == (8, 8)
