"""Range of the grey values of data sets whose images have more than 8 bits."""

import numpy as np
import pytest
from pictures import picture, write
from PIL import Image

from ltnas.data import grey_range
from ltnas.data.grey_range import measured_range
from ltnas.data.listing import Listing, of_files


def deep(values):
    return Image.fromarray(np.full((2, 2), values, np.uint16))


def listing(folder, images, training):
    """Return a listing of images by their names, of which the first are for training."""
    files = [write(folder / f"{name}.png", image) for name, image in images.items()]
    broken = folder / "broken.png"
    broken.write_text("no image")
    train, test = [broken, *files[:training]], [*files[training:], broken]
    splits = {"test": of_files(test, [0] * len(test)), "train": of_files(train, [0] * len(train))}
    return Listing(("x", "y"), splits, files)


def test_the_range_is_that_of_the_deep_training_images(tmp_path, monkeypatch):
    monkeypatch.setattr(grey_range, "PART", 2)
    images = {"a": deep([[300, 900], [400, 400]]), "b": picture(0), "c": deep(700), "d": deep(5000)}
    assert measured_range(listing(tmp_path, images, 3)) == (300, 900)


def test_without_deep_training_images_the_range_is_that_of_the_others(tmp_path):
    images = {"a": picture(0), "b": deep(200), "c": deep(5000)}
    assert measured_range(listing(tmp_path, images, 1)) == (200, 5000)


def test_images_of_other_splits_are_clipped(tmp_path, load_data):
    values = {"train/a/0": 1000, "train/b/0": 2020, "test/a/0": 500, "test/b/0": 1040}
    for name, value in {**values, "test/b/1": 9000}.items():
        write(tmp_path / "split" / f"{name}.png", deep(value))
    source = load_data("folder", tmp_path / "split")
    assert source.grey_range == (1000, 2020)
    assert source.test.images[:, 0, 0, 0].tolist() == [0, 10, 255]


@pytest.fixture
def deep_folder(tmp_path):
    """Images of one value each: 1000, 1200, ..., 2800 in two classes."""
    for number in range(10):
        path = tmp_path / "deep" / "ab"[number % 2] / f"{number}.png"
        write(path, deep(1000 + 200 * number))
    return tmp_path / "deep"


def test_a_data_set_is_scaled_by_its_own_range_and_says_so(deep_folder, load_data):
    for _ in range(2):  # the second time from the cache
        source = load_data("folder", deep_folder)
        values = [
            value for part in source.parts.values() for value in part.images[:, 0, 0, 0].tolist()
        ]
        assert sorted(values) == [round(number * 255 / 9) for number in range(10)]
        assert source.grey_range == (1000, 2800)
        (note,) = (note for note in source.notes if "more than 8 bits" in note)
        assert "grey values from 1,000 to 2,800" in note


def test_one_deep_image_among_others(deep_folder, load_data):
    write(deep_folder / "a" / "8bit.png", np.full((2, 2), 77, np.uint8))
    parts = load_data("folder", deep_folder).parts.values()
    assert {77, 255} <= {int(image[0, 0, 0]) for part in parts for image in part.images}


def test_images_of_eight_bits_have_no_range(tmp_path, load_data):
    for number in range(4):
        write(tmp_path / "grey" / "ab"[number % 2] / f"{number}.png", picture(number))
    source = load_data("folder", tmp_path / "grey")
    assert source.grey_range is None
    assert not any("bits" in note for note in source.notes)
