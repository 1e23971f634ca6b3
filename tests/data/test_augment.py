"""Augmentation of batches compared with slow implementations for one image at a time."""

import math

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from ltnas.data.augment import (
    Normalisation,
    PlainView,
    TwinView,
    crop_and_mirror,
    cutout,
    grey,
    jitter,
    resized_crop,
    turn_hue,
)

NORMALISATION = Normalisation((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
BATCH = 24
SHAPES = [(8, 8), (10, 7)]
ALMOST_ONE = 1 - 2**-24
"""Largest number that `torch.rand` returns."""


def byte_images(shape=(8, 8), batch=BATCH, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, 3, *shape), generator=generator, dtype=torch.uint8)


def float_images(shape=(8, 8), batch=BATCH, seed=0):
    return byte_images(shape, batch, seed).float() / 255


def uniform(columns, rows=BATCH, seed=1):
    """Random draws whose first two rows are the ends of the range, 0 and almost 1."""
    draws = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed))
    draws[0], draws[1] = 0.0, ALMOST_ONE
    return draws


def plain_view(**changes):
    return PlainView(**{"normalisation": NORMALISATION, "padding": 4, "flip": True, **changes})


def twin_view(**changes):
    settings = {
        "normalisation": NORMALISATION,
        "min_crop_area": 0.2,
        "flip": True,
        "jitter": 0.4,
        "jitter_probability": 0.8,
        "grey_probability": 0.2,
    }
    return TwinView(**{**settings, **changes})


# --- one image at a time --------------------------------------------------------------------------


def slow_crop(image, padding, top, left, mirror):
    channels, height, width = image.shape
    padded = np.zeros((channels, height + 2 * padding, width + 2 * padding), image.numpy().dtype)
    padded[:, padding : padding + height, padding : padding + width] = image.numpy()
    y, x = (math.floor(draw * (2 * padding + 1)) for draw in (top, left))
    window = padded[:, y : y + height, x : x + width]
    return torch.from_numpy((window[:, :, ::-1] if mirror else window).copy())


def slow_cutout(image, length, centre_y, centre_x):
    """`Cutout` of DeVries and Taylor, for an even length."""
    _, h, w = image.shape
    y, x = math.floor(centre_y * h), math.floor(centre_x * w)
    mask = np.ones((h, w), np.float32)
    y1 = np.clip(y - length // 2, 0, h)
    y2 = np.clip(y + length // 2, 0, h)
    x1 = np.clip(x - length // 2, 0, w)
    x2 = np.clip(x + length // 2, 0, w)
    mask[y1:y2, x1:x2] = 0.0
    return image * torch.from_numpy(mask)


def slow_window(min_area, draws):
    """Left, top, width and height of a resized crop, as shares of the image's size."""
    area = min_area + (1 - min_area) * draws[0]
    ratio = (3 / 4) ** (1 - draws[1]) * (4 / 3) ** draws[1]
    width, height = min(1, math.sqrt(area * ratio)), min(1, math.sqrt(area / ratio))
    return draws[2] * (1 - width), draws[3] * (1 - height), width, height


def slow_resized_crop(image, min_area, draws, mirror):
    channels, rows, columns = image.shape
    left, top, width, height = slow_window(min_area, draws)
    out = torch.empty_like(image)
    for i in range(rows):
        for j in range(columns):
            across = (j + 0.5) / columns
            y = (top + (i + 0.5) / rows * height) * rows - 0.5
            x = (left + (1 - across if mirror else across) * width) * columns - 0.5
            y, x = min(max(y, 0), rows - 1), min(max(x, 0), columns - 1)
            y0, x0 = math.floor(y), math.floor(x)
            y1, x1 = min(y0 + 1, rows - 1), min(x0 + 1, columns - 1)
            for channel in range(channels):
                upper = image[channel, y0, x0] * (x0 + 1 - x) + image[channel, y0, x1] * (x - x0)
                lower = image[channel, y1, x0] * (x0 + 1 - x) + image[channel, y1, x1] * (x - x0)
                out[channel, i, j] = upper * (y0 + 1 - y) + lower * (y - y0)
    return out


def slow_jitter(image, strength, draws):
    """Colour jitter by torchvision, in the order of Zbontar et al."""
    reach = (strength, strength, strength / 2, strength / 4)
    change = [(2 * draw - 1) * most for draw, most in zip(draws, reach, strict=True)]
    image = tv.adjust_brightness(image, 1 + change[0])
    image = tv.adjust_contrast(image, 1 + change[1])
    image = tv.adjust_saturation(image, 1 + change[2])
    return tv.adjust_hue(image, change[3])


def slow_normalise(image):
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (NORMALISATION.mean, NORMALISATION.std))
    return (image - mean) / std


# --- the pieces -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [0, 2, 4])
def test_crop_and_mirror_slice_a_padded_image(shape, padding):
    images, draws = byte_images(shape), uniform(3)
    mirror = draws[:, 2] < 0.5
    cropped = crop_and_mirror(images, padding, draws[:, 0], draws[:, 1], mirror)
    plain = crop_and_mirror(images, padding, draws[:, 0], draws[:, 1], None)
    assert cropped.dtype == torch.uint8
    assert cropped.is_contiguous(memory_format=torch.channels_last)
    for i, image in enumerate(images):
        top, left, _ = draws[i].tolist()
        assert torch.equal(cropped[i], slow_crop(image, padding, top, left, mirror[i]))
        assert torch.equal(plain[i], slow_crop(image, padding, top, left, False))


def test_every_place_of_a_crop_is_as_likely():
    padding, batch = 2, 4000
    images = torch.ones(batch, 3, 8, 8, dtype=torch.uint8)
    draws = torch.rand(batch, 2, generator=torch.Generator().manual_seed(0))
    cropped = crop_and_mirror(images, padding, draws[:, 0], draws[:, 1], None)[:, 0].bool()
    # Offset of the window from the image's corner, measured by the black border.
    down = cropped.any(2).int().argmax(1) - cropped.any(2).flip(1).int().argmax(1)
    right = cropped.any(1).int().argmax(1) - cropped.any(1).flip(1).int().argmax(1)
    for shift in (down, right):
        values, counts = shift.unique(return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert ((counts / batch - 0.2).abs() < 0.03).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("side", [2, 4, 16])
def test_cutout_is_that_of_devries(shape, side):
    images, draws = float_images(shape) + 0.1, uniform(2)
    erased = cutout(images, side, draws[:, 0], draws[:, 1])
    for i, image in enumerate(images):
        assert torch.equal(erased[i], slow_cutout(image, side, *draws[i].tolist()))
    assert (erased == 0).any()


def test_a_cutout_within_the_image_has_its_side_even_if_odd():
    middle = torch.full((1,), 0.5)
    for side in (1, 3, 4, 5):
        erased = cutout(torch.ones(1, 3, 12, 12), side, middle, middle)
        assert int((erased[0, 0] == 0).sum()) == side**2
    assert torch.equal(
        cutout(torch.ones(1, 3, 12, 12), 0, middle, middle), torch.ones(1, 3, 12, 12)
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_resized_crop_samples_bilinearly_in_its_window(shape):
    images, draws = float_images(shape, 8), uniform(5, 8)
    mirror = draws[:, 4] < 0.5
    assert mirror.any()
    assert not mirror.all()
    cropped = resized_crop(images, 0.2, draws[:, :4], mirror)
    for i, image in enumerate(images):
        expected = slow_resized_crop(image, 0.2, draws[i, :4].tolist(), mirror[i])
        torch.testing.assert_close(cropped[i], expected, atol=2e-5, rtol=0)


def test_a_resized_crop_of_everything_is_the_image_or_its_mirror():
    images, draws = float_images(), torch.full((BATCH, 4), 0.5)
    draws[:, 2:] = uniform(2)
    mirror = torch.arange(BATCH) % 2 == 0
    cropped = resized_crop(images, 1.0, draws, mirror)
    expected = torch.where(mirror.view(-1, 1, 1, 1), images.flip(3), images)
    torch.testing.assert_close(cropped, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("corner", [0.0, ALMOST_ONE])
def test_a_quarter_in_a_corner_sees_nothing_of_the_rest(corner):
    images = torch.zeros(1, 3, 8, 8)
    near = slice(0, 4) if corner == 0 else slice(4, 8)
    images[:, :, near, near] = 1.0
    draws = torch.tensor([[0.0, 0.5, corner, corner]])
    window = resized_crop(images, 0.25, draws, torch.tensor([False]))
    # The outermost pixels are a quarter of a pixel away from the other colour.
    inner = window[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.ones_like(inner), atol=1e-5, rtol=0)
    assert window.min() > 0.5


@pytest.mark.parametrize("axis", [2, 3])
def test_windows_stay_in_the_image_and_have_the_areas_asked_for(axis):
    batch, size = 3000, 16
    ramp = ((torch.arange(size) + 0.5) / size).view(-1, 1) if axis == 2 else None
    ramp = ramp if ramp is not None else ((torch.arange(size) + 0.5) / size).view(1, -1)
    images = ramp.expand(batch, 3, size, size).contiguous()
    draws = uniform(4, batch)
    cropped = resized_crop(images, 0.2, draws, torch.zeros(batch, dtype=torch.bool))
    assert cropped.min() >= ramp.min() - 1e-5
    assert cropped.max() <= ramp.max() + 1e-5
    line = cropped[:, 0, :, 3] if axis == 2 else cropped[:, 0, 3, :]
    extent = (line[:, 12] - line[:, 3]) * size / 9  # away from the clamped borders
    assert extent.min() > math.sqrt(0.2 * 3 / 4) - 1e-3
    assert extent.min() < 0.45
    assert extent.max() < 1 + 1e-3
    assert extent.max() > 0.97
    share = np.array([slow_window(0.2, row)[5 - axis] for row in draws.tolist()])
    np.testing.assert_allclose(extent.numpy(), share, atol=1e-4)


def test_areas_are_uniform():
    draws = torch.rand(4000, 4, generator=torch.Generator().manual_seed(0))
    draws[:, 1] = 0.5  # square, so that nothing is clamped
    ramp = ((torch.arange(16) + 0.5) / 16).view(1, -1).expand(4000, 3, 16, 16).contiguous()
    line = resized_crop(ramp, 0.2, draws, torch.zeros(4000, dtype=torch.bool))[:, 0, 3, :]
    area = ((line[:, 12] - line[:, 3]) * 16 / 9) ** 2
    assert abs(area.mean() - 0.6) < 0.02
    assert abs(area.std() - 0.8 / math.sqrt(12)) < 0.02


@pytest.mark.parametrize("strength", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("shape", SHAPES)
def test_jitter_is_that_of_torchvision(strength, shape):
    images, draws = float_images(shape), uniform(4)
    changed = jitter(images, strength, draws)
    for i, image in enumerate(images):
        expected = slow_jitter(image, strength, draws[i].tolist())
        torch.testing.assert_close(changed[i], expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("column", range(4))
def test_each_part_of_jitter_has_its_own_reach(column):
    images, draws = float_images(), torch.full((BATCH, 4), 0.5)
    draws[:, column] = uniform(1)[:, 0]
    changed = jitter(images, 0.4, draws)
    adjust = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)
    low, high = [(0.6, 1.4), (0.6, 1.4), (0.8, 1.2), (-0.1, 0.1)][column]
    for i, image in enumerate(images):
        factor = low + (high - low) * float(draws[i, column])
        torch.testing.assert_close(changed[i], adjust[column](image, factor), atol=2e-5, rtol=0)


def test_grey_is_that_of_torchvision():
    images = float_images()
    expected = tv.rgb_to_grayscale(images, num_output_channels=3)
    torch.testing.assert_close(grey(images), expected, atol=1e-6, rtol=0)


def test_turn_hue_is_that_of_torchvision():
    images = float_images()
    images[0] = 0.25  # grey: it has no hue
    images[1, 1] = images[1, 0]  # two channels tie
    images[2, 2] = images[2, 1]
    images[3, 2] = images[3, 0]
    images[4] = torch.eye(3).repeat(1, 22)[:, :64].view(3, 8, 8)  # pure colours
    turn = torch.linspace(-0.5, 0.5, BATCH)
    turned = turn_hue(images, turn)
    for i, image in enumerate(images):
        expected = tv.adjust_hue(image, float(turn[i]))
        torch.testing.assert_close(turned[i], expected, atol=2e-5, rtol=0)
    assert torch.equal(turned[0], images[0])


def test_a_third_of_a_turn_rotates_the_colours():
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    for turn, channel in ((0.0, 0), (1 / 3, 1), (-1 / 3, 2)):
        turned = turn_hue(red, torch.tensor([turn]))
        torch.testing.assert_close(turned.flatten(), torch.eye(3)[channel], atol=1e-5, rtol=0)


def test_bytes_are_standardised_as_by_float_maths():
    images = byte_images((10, 7))
    before = images.clone()
    standard = NORMALISATION.standardise_bytes(images)
    mean, std = (np.reshape(v, (1, 3, 1, 1)) for v in (NORMALISATION.mean, NORMALISATION.std))
    expected = (images.numpy().astype(np.float64) / 255 - mean) / std
    np.testing.assert_allclose(standard.numpy(), expected, atol=2e-6)
    assert standard.dtype == torch.float32
    assert standard.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)
    torch.testing.assert_close(NORMALISATION(images.float() / 255), standard)


# --- the views ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("erased", [0, 4])
def test_plain_view_is_crop_mirror_standardise_and_cutout(shape, flip, erased):
    images, draws = byte_images(shape), uniform(5)
    views = plain_view(flip=flip, cutout=erased)(images, draws)
    assert views.dtype == torch.float32
    for i, image in enumerate(images):
        top, left, mirror, *centre = draws[i].tolist()
        expected = slow_normalise(
            slow_crop(image, 4, top, left, flip and mirror < 0.5).float() / 255
        )
        if erased:
            expected = slow_cutout(expected, erased, *centre)
        torch.testing.assert_close(views[i], expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("flip", [True, False])
def test_twin_view_is_resized_crop_jitter_grey_and_standardise(flip):
    images, draws = byte_images(batch=16), uniform(11, 16)
    assert 0 < (draws[:, 9] < 0.8).sum() < 16
    assert 0 < (draws[:, 10] < 0.2).sum() < 16
    views = twin_view(flip=flip)(images, draws)
    for i, image in enumerate(images):
        row = draws[i].tolist()
        expected = slow_resized_crop(image.float() / 255, 0.2, row[:4], flip and row[4] < 0.5)
        if row[9] < 0.8:
            expected = slow_jitter(expected, 0.4, row[5:9])
        if row[10] < 0.2:
            expected = tv.rgb_to_grayscale(expected, num_output_channels=3)
        torch.testing.assert_close(views[i], slow_normalise(expected), atol=2e-4, rtol=0)


VIEWS = [plain_view(cutout=4), twin_view()]
each_view = pytest.mark.parametrize("view", VIEWS, ids=["plain", "twin"])


@each_view
def test_a_view_of_a_batch_is_that_of_its_images_one_by_one(view):
    images, draws = byte_images(), uniform(view.draws)
    views = view(images, draws)
    for i in range(BATCH):
        alone = view(images[i : i + 1], draws[i : i + 1])
        torch.testing.assert_close(alone[0], views[i], atol=1e-6, rtol=0)
    order = torch.randperm(BATCH, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(view(images[order], draws[order]), views[order], atol=1e-6, rtol=0)


@each_view
def test_copies_of_an_image_in_one_batch_become_different_views(view):
    images = byte_images(batch=1).expand(BATCH, -1, -1, -1)
    views = view(images, uniform(view.draws)).flatten(1)
    assert views.unique(dim=0).shape[0] == BATCH


@each_view
def test_a_view_is_a_function_of_pixels_and_draws_and_keeps_both(view):
    images, draws = byte_images(), uniform(view.draws)
    before, drawn = images.clone(), draws.clone()
    state = torch.get_rng_state()
    first = view(images, draws)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(view(images, draws), first)
    assert torch.equal(images, before)
    assert torch.equal(draws, drawn)


@each_view
def test_a_view_uses_every_draw_that_it_asks_for(view):
    images = byte_images()
    for column in range(view.draws):
        low = torch.full((BATCH, view.draws), 0.3)
        high = low.clone()
        low[:, column], high[:, column] = 0.1, 0.9
        changed = (view(images, low) != view(images, high)).flatten(1).any(1)
        assert changed.all(), f"column {column}"
    with pytest.raises(IndexError):
        view(images, torch.full((BATCH, view.draws - 1), 0.3))


@each_view
def test_half_of_the_views_are_mirrored(view):
    column = 2 if isinstance(view, PlainView) else 4
    images = byte_images(batch=1).expand(400, -1, -1, -1)
    draws = torch.full((400, view.draws), 0.5)
    draws[:, column] = torch.rand(400, generator=torch.Generator().manual_seed(0))
    views, times = view(images, draws).flatten(1).unique(dim=0, return_counts=True)
    assert len(views) == 2
    assert 150 < times[0] < 250


def test_shares_of_jittered_and_grey_views_are_those_asked_for():
    view = twin_view(min_crop_area=1.0, flip=False)
    images = byte_images(batch=1).expand(1000, -1, -1, -1)
    draws = torch.full((1000, 11), 0.5)
    draws[:, 5] = 0.9  # brighter, where jittered
    draws[:, 9:] = torch.rand(1000, 2, generator=torch.Generator().manual_seed(0))
    views = view(images, draws)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (NORMALISATION.mean, NORMALISATION.std))
    pixels = views * std + mean
    is_grey = (pixels[:, 0] - pixels[:, 1]).abs().amax((1, 2)) < 1e-4
    assert abs(is_grey.float().mean() - 0.2) < 0.04
    untouched = (pixels - images.float() / 255)[~is_grey].abs().amax((1, 2, 3)) < 1e-4
    assert abs(untouched.float().mean() - 0.2) < 0.05


def test_views_without_chance_are_the_standardised_image():
    images = byte_images()
    expected = NORMALISATION.standardise_bytes(images)
    plain = plain_view(padding=0, flip=False)(images, uniform(5))
    torch.testing.assert_close(plain, expected, atol=1e-6, rtol=0)
    draws = uniform(11)
    draws[:, 1] = 0.5
    twin = twin_view(min_crop_area=1.0, flip=False, jitter_probability=0.0, grey_probability=0.0)
    torch.testing.assert_close(twin(images, draws), expected, atol=1e-4, rtol=0)
