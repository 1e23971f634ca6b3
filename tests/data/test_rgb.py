"""Images of any mode become upright RGB images."""

import warnings

import numpy as np
import pytest
from pictures import picture, write
from PIL import Image, ImageOps

from ltnas.data.rgb import ORIENTATION, DeepImage, as_rgb, upright


def colours(image):
    return np.asarray(image).tolist()


@pytest.mark.parametrize("orientation", range(1, 10))  # 9 is no orientation
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_images_are_turned_as_their_exif_says(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = write(tmp_path / f"turned.{kind}", picture(0, (4, 6)), exif=exif)
    with Image.open(path) as image, Image.open(path) as again:
        turned = upright(image)
        assert colours(turned) == colours(ImageOps.exif_transpose(again))
        assert turned.size == ((6, 4) if 5 <= orientation <= 8 else (4, 6))


def test_damaged_exif_data_do_not_make_a_damaged_image(tmp_path):
    path = write(tmp_path / "photo.png", picture(0), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    with pytest.warns(UserWarning, match="Corrupt EXIF"), Image.open(path) as image:
        assert colours(upright(image)) == picture(0).tolist()


def test_transparent_pixels_are_shown_on_white():
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0] = [(10, 20, 30, 255), (10, 20, 30, 0), (10, 20, 30, 51)]
    shown = colours(as_rgb("x", Image.fromarray(pixels, "RGBA"), None))
    assert shown[0][:2] == [[10, 20, 30], [255, 255, 255]]
    assert shown[0][2] == [206, 208, 210]  # 51 / 255 of the colour, the rest white


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_transparent_colour_is_shown_on_white_without_a_warning(tmp_path, mode):
    grey = np.array([[10, 200], [200, 10]], np.uint8)
    image = Image.fromarray(grey).convert(mode)
    key = {"RGB": (10, 10, 10), "L": 10, "P": bytes([255] * 10 + [0] + [255] * 245)}[mode]
    if mode == "P":
        image = Image.fromarray(grey, "P")
        image.putpalette([value for value in range(256) for _ in range(3)])
    image.save(tmp_path / "key.png", transparency=key)
    with warnings.catch_warnings(), Image.open(tmp_path / "key.png") as read:
        warnings.simplefilter("error")
        assert "transparency" in read.info
        shown = np.asarray(as_rgb("x", read, None))
    assert shown[:, :, 0].tolist() == [[255, 200], [200, 255]]


def test_the_four_inks_become_three_colours():
    inks = Image.new("CMYK", (1, 1), (255, 0, 51, 0))  # no red, all green, most blue
    assert colours(as_rgb("x", inks, None)) == [[[0, 255, 204]]]


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_a_range_becomes_the_eight_bits(mode):
    kind = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]
    values = np.array([[1000, 1255, 1510, 3550, 500, 9999]])
    image = Image.frombytes(mode, (6, 1), values.astype(kind).tobytes())
    grey = np.asarray(as_rgb("x", image, (1000, 3550)))[0]
    assert grey[:, 0].tolist() == [0, 26, 51, 255, 0, 255]
    assert (grey == grey[:, :1]).all()


def test_a_range_of_one_value_is_black():
    image = Image.fromarray(np.full((1, 1), 700, np.uint16))
    assert colours(as_rgb("x", image, (700, 700))) == [[[0, 0, 0]]]


def test_without_a_range_deep_images_are_refused():
    image = Image.fromarray(np.zeros((1, 1), np.uint16))
    with pytest.raises(DeepImage, match=r"image x cannot be read \(its mode I;16 has more than 8"):
        as_rgb("x", image, None)
