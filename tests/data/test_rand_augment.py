"""RandAugment: separate operations for each image, equal to those of torchvision."""

import pytest
import torch
from torchvision.transforms.v2 import RandAugment as Torchvision
from torchvision.transforms.v2 import functional as vision

from ltnas.data.augment import Normalisation, PlainView
from ltnas.data.rand_augment import OPERATIONS, RandAugment

NAMES = list(OPERATIONS)
THEIRS = {
    **{"identity": "Identity", "shear_x": "ShearX", "shear_y": "ShearY"},
    **{"shift_x": "TranslateX", "shift_y": "TranslateY", "rotate": "Rotate"},
    **{"brightness": "Brightness", "saturation": "Color", "contrast": "Contrast"},
    **{"sharpness": "Sharpness", "posterise": "Posterize", "solarise": "Solarize"},
    **{"autocontrast": "AutoContrast", "equalise": "Equalize"},
}


@pytest.fixture
def images():
    random = torch.randint(0, 256, (6, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    return vision.resize(random.to(torch.uint8), [32, 32])


def draws_for(*names, negative=False):
    """Draws that choose these operations one after another, with one sign."""
    row = []
    for name in names:
        row += [(NAMES.index(name) + 0.5) / len(NAMES), 0.2 if negative else 0.8]
    return torch.tensor(row)


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_operations_and_strengths_are_those_of_torchvision(images, name, negative):
    policy, magnitude = Torchvision(), 9
    make, signed = policy._AUGMENTATION_SPACE[THEIRS[name]]
    strengths = make(31, 32, 32)
    strength = 0.0 if strengths is None else float(strengths[magnitude])
    sign = -1 if signed and negative else 1
    theirs = policy._apply_image_or_video_transform(
        images, THEIRS[name], sign * strength, policy.interpolation, policy._fill
    )
    ours = RandAugment(1, magnitude)(images, draws_for(name, negative=negative).repeat(6, 1))
    assert ours.dtype == torch.uint8
    # Strengths are computed differently, so that a value may be rounded to its neighbour.
    difference = (ours.int() - theirs.int()).abs()
    assert int(difference.max()) <= 1
    assert float(difference.float().mean()) < 0.01
    assert torch.equal(ours, images) is (name == "identity")


def test_the_names_are_all_of_torchvisions():
    assert set(THEIRS) == set(OPERATIONS)
    assert set(THEIRS.values()) == set(Torchvision._AUGMENTATION_SPACE)


def test_each_image_has_its_own_operations_one_after_another(images):
    policy = RandAugment(2, 15)
    chosen = [("rotate", "solarise"), ("solarise", "rotate"), ("identity", "equalise")] * 2
    draws = torch.stack([draws_for(*names) for names in chosen])
    augmented = policy(images, draws)
    for i, names in enumerate(chosen):
        alone = images[i : i + 1]
        for name in names:
            alone = RandAugment(1, 15)(alone, draws_for(name)[None])
        assert torch.equal(augmented[i], alone[0])


def test_images_are_left_as_they_are(images):
    before = images.clone()
    RandAugment(2, 30)(images, torch.rand(6, 4, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(images, before)


def test_a_plain_view_has_its_policy_between_crop_and_cutout(images):
    normalisation = Normalisation((0.5,) * 3, (0.25,) * 3)
    view = PlainView(normalisation, 0, False, cutout=8, policy=RandAugment(1, 9))
    assert view.draws == 7
    random = torch.cat([torch.rand(6, 5), draws_for("brightness").repeat(6, 1)], 1)
    brighter = vision.adjust_brightness(images, 1.27)
    expected = PlainView(normalisation, 0, False, cutout=8)(brighter, random[:, :5])
    torch.testing.assert_close(view(images, random), expected)
