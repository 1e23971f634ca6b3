"""AutoAugment: the policy for CIFAR-10 and its operations are those of torchvision."""

import pytest
import torch
from torchvision.transforms.v2 import AutoAugment as Torchvision
from torchvision.transforms.v2 import AutoAugmentPolicy
from torchvision.transforms.v2 import functional as vision

from ltnas.data.augment import Normalisation, PlainView
from ltnas.data.auto_augment import LEVELS, SUB_POLICIES, AutoAugment

THEIRS = {
    **{"shear_x": "ShearX", "shear_y": "ShearY", "shift_x": "TranslateX"},
    **{"shift_y": "TranslateY", "rotate": "Rotate", "brightness": "Brightness"},
    **{"saturation": "Color", "contrast": "Contrast", "sharpness": "Sharpness"},
    **{"posterise": "Posterize", "solarise": "Solarize", "autocontrast": "AutoContrast"},
    **{"equalise": "Equalize", "invert": "Invert"},
}
FILL = 128


@pytest.fixture
def images():
    random = torch.randint(0, 256, (4, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    return vision.resize(random.to(torch.uint8), [32, 32])


def by_torchvision(images, name, level, negative):
    """The images after one operation at a level, with torchvision's own strengths."""
    policy = Torchvision(AutoAugmentPolicy.CIFAR10, fill=FILL)
    make, signed = policy._AUGMENTATION_SPACE[THEIRS[name]]
    strengths = make(10, 32, 32)
    # Ninths of the largest one. Theirs are in float32, where some values are rounded otherwise.
    strength = 0.0 if strengths is None else round(9 * float(strengths[level]), 4) / 9
    if name.startswith("shift"):  # torchvision cuts off what AutoAugment's PIL code rounds
        strength = float(round(strength))
    sign = -1 if signed and negative else 1
    return policy._apply_image_or_video_transform(
        images, THEIRS[name], sign * strength, policy.interpolation, policy._fill
    )


def draws_for(policy, first=None, second=None):
    """Draws of a sub-policy; steps are (applied with certainty, negative), or None: left out."""
    row = [(policy + 0.5) / len(SUB_POLICIES)]
    for step in (first, second):
        row += [1.0, 0.0] if step is None else [-1.0, 0.2 if step else 0.8]
    return torch.tensor([row])


def test_the_sub_policies_are_those_of_torchvision():
    names = {theirs: ours for ours, theirs in THEIRS.items()}
    policies = Torchvision(AutoAugmentPolicy.CIFAR10)._policies
    found = [
        tuple((names[name], probability, level or 0) for name, probability, level in two)
        for two in policies
    ]
    assert found == list(SUB_POLICIES)


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize(("policy", "step"), [(p, s) for p in range(25) for s in (0, 1)])
def test_each_step_is_torchvisions_operation(images, policy, step, negative):
    name, _, level = SUB_POLICIES[policy][step]
    chosen = [None, None]
    chosen[step] = negative
    ours = AutoAugment(FILL)(images, draws_for(policy, *chosen).expand(4, 5))
    theirs = by_torchvision(images, name, level, negative)
    assert ours.dtype == torch.uint8
    assert torch.equal(ours, theirs)


def test_most_levels_change_the_images(images):
    """All but a change of colours by nothing."""
    changed = set()
    for policy, two in enumerate(SUB_POLICIES):
        for step, (name, _, level) in enumerate(two):
            chosen = [None, None]
            chosen[step] = False
            ours = AutoAugment(FILL)(images, draws_for(policy, *chosen).expand(4, 5))
            if not torch.equal(ours, images):
                changed.add((name, level))
    # Random pixels use the whole range already.
    assert set(LEVELS) - changed <= {("saturation", 0), ("autocontrast", 0)}


def test_a_step_is_applied_with_its_probability(images):
    """Sub-policy 1 turns an image with probability 0.7 and shifts it with probability 0.3."""
    policy = AutoAugment(FILL)
    row = torch.tensor([[1.5 / 25, 0.69, 0.8, 0.31, 0.8]]).expand(4, 5)
    turned = by_torchvision(images, "rotate", 2, negative=False)
    assert torch.equal(policy(images, row), turned)
    row = torch.tensor([[1.5 / 25, 0.71, 0.8, 0.29, 0.8]]).expand(4, 5)
    assert torch.equal(policy(images, row), by_torchvision(images, "shift_x", 9, negative=False))
    row = torch.tensor([[1.5 / 25, 0.71, 0.8, 0.31, 0.8]]).expand(4, 5)
    assert torch.equal(policy(images, row), images)


def test_each_image_has_its_own_operations_one_after_another(images):
    policy = AutoAugment(FILL)
    draws = [draws_for(3, False, True), draws_for(7, True, False), draws_for(3, None, True)]
    draws = torch.cat([*draws, draws_for(20, False, False)])
    augmented = policy(images, draws)
    for i in range(4):
        assert torch.equal(augmented[i], policy(images[i : i + 1], draws[i : i + 1])[0])
    sheared = by_torchvision(images[:1], "shear_y", 8, negative=False)
    assert torch.equal(augmented[:1], by_torchvision(sheared, "shift_y", 9, negative=True))


def test_images_are_left_as_they_are(images):
    before = images.clone()
    random = torch.rand(4, 5, generator=torch.Generator().manual_seed(5))
    assert not torch.equal(AutoAugment(FILL)(images, random), before)
    assert torch.equal(images, before)


def test_a_plain_view_has_it_between_crop_and_cutout(images):
    normalisation = Normalisation((0.5,) * 3, (0.25,) * 3)
    view = PlainView(normalisation, 0, False, cutout=8, policy=AutoAugment(FILL))
    assert view.draws == 10
    random = torch.cat([torch.rand(4, 5), draws_for(6, None, False).expand(4, 5)], 1)
    brighter = vision.adjust_brightness(images, 1.7)  # level 7 of 9, of 0.9
    expected = PlainView(normalisation, 0, False, cutout=8)(brighter, random[:, :5])
    torch.testing.assert_close(view(images, random), expected, atol=0.02, rtol=0)
