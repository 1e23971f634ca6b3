"""Division of a data set into training and test images."""

import pytest
import torch

from ltnas.data.images import LabelledImages
from ltnas.data.splits import complete, held_out


def part(count, first=0):
    numbers = torch.arange(first, first + count, dtype=torch.uint8)
    return LabelledImages(numbers.view(-1, 1, 1, 1).expand(-1, 3, 2, 2), torch.arange(count) % 2)


def numbers(data):
    return data.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize(("images", "tests"), [(1, 0), (2, 1), (5, 1), (6, 1), (7, 2), (100, 20)])
def test_about_a_fifth_of_each_class_is_held_out(images, tests):
    labels = torch.tensor([4] * images + [1] * 11)
    mask = held_out(labels, seed=0)
    assert mask[:images].sum() == tests
    assert mask[images:].sum() == 2


def test_the_seed_decides_which_images_are_held_out():
    labels = torch.arange(60) % 3
    first, again, other = (held_out(labels, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_split_that_is_given_is_kept():
    parts = {"train": part(6), "validation": part(4, 10), "test": part(2, 20)}
    source = complete(parts, ("a", "b"), ("a note",), seed=0)
    assert source.parts == parts
    assert source.notes == (
        "a note",
        "images of its validation split are not trained on: 4",
    )


def test_validation_images_serve_as_test_images_where_there_are_none():
    source = complete({"train": part(6), "validation": part(4, 10)}, ("a", "b"), (), seed=0)
    assert numbers(source.test) == [10, 11, 12, 13]
    assert source.validation is None
    (note,) = source.notes
    assert "those of its validation split serve as such" in note


def test_without_any_other_split_training_images_are_held_out():
    source = complete({"train": part(12)}, ("a", "b"), (), seed=3)
    assert sorted(numbers(source.train) + numbers(source.test)) == list(range(12))
    assert source.test.labels.tolist() == [0, 1] or source.test.labels.tolist() == [1, 0]
    assert source.notes == ()


def test_a_validation_split_without_images_is_none():
    parts = {"train": part(6), "validation": part(0), "test": part(2, 20)}
    source = complete(parts, ("a", "b"), (), seed=0)
    assert source.validation is None
    assert "no image that can be read" in source.notes[0]
