"""Notes on images that are all equal."""

import numpy as np
import pytest
import torch
from pictures import picture, write

from ltnas.data import equal_images
from ltnas.data.equal_images import notes_on_equal_images
from ltnas.data.images import LabelledImages

CLASS = "all training images of class a are equal: check them"
CLASSES = "all training images of 2 classes a, b are equal: check them"


def data(values, labels):
    pixels = torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2).clone()
    return LabelledImages(pixels, torch.tensor(labels))


@pytest.mark.parametrize(
    ("values", "labels", "notes"),
    [
        ([1, 2, 3, 4], [0, 1, 0, 1], ()),
        ([1, 2, 1, 4], [0, 1, 0, 1], (CLASS,)),
        (
            [1, 2, 1, 2],
            [0, 1, 0, 1],
            (CLASSES,),
        ),
        ([5, 5, 5, 5], [0, 1, 0, 1], ("all 4 training images are equal: check the files",)),
        ([5, 5, 5], [1, 0, 0], ("all 3 training images are equal: check the files",)),
        ([5, 5], [0, 1], ("all 2 training images are equal: check the files",)),
        ([5, 6], [0, 1], ()),  # one image a class is always equal to itself
        ([5, 5, 5, 6], [0, 0, 0, 0], ()),
    ],
)
def test_equal_images_are_told(monkeypatch, values, labels, notes):
    monkeypatch.setattr(equal_images, "PART", 1)
    assert notes_on_equal_images(data(values, labels), ("a", "b")) == notes


def test_one_pixel_is_a_difference():
    made = data([5] * 200, [0] * 100 + [1] * 100)
    made.stored[199, 2, 1, 1] = 6
    (note,) = notes_on_equal_images(made, ("a", "b"))
    assert note == "all training images of class a are equal: check them"


def test_of_different_images_two_a_class_are_read():
    class Counted:
        def __init__(self):
            self.pixels, self.read = data([1, 2] * 50, [0] * 100).stored, 0

        def __getitem__(self, rows):
            self.read += len(rows)
            return self.pixels[rows]

    stored = Counted()
    labels = torch.arange(100) // 50
    assert notes_on_equal_images(LabelledImages(stored, labels), ("a", "b")) == ()
    assert stored.read == 4


def test_sources_say_it(tmp_path, load_data):
    for number in range(8):
        pixels = picture(number) if number % 2 else np.full((8, 8, 3), 7, np.uint8)
        write(tmp_path / "x" / "ab"[number % 2] / f"{number}.png", pixels)
    source = load_data("folder", tmp_path / "x")
    assert source.notes == ("all training images of class a are equal: check them",)
