"""Choice of the training images and of those for validation."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from ltnas import config as c
from ltnas.data.long_tail import describe_data, load_long_tail
from ltnas.data.subset import checksum, subset_indices
from ltnas.data.training_subset import (
    read_indices,
    training_subset,
    validation_positions,
    write_indices,
)
from ltnas.errors import UserError

LABELS = np.repeat(np.arange(4), 50)
CLASSES = ("a", "b", "c", "d")
EXP = c.Imbalance("exp", 0.1)


def test_the_rule_decides_without_anything_else():
    subset = training_subset(c.Data("digits"), EXP, LABELS, CLASSES)
    assert subset.wanted == [50, 23, 10, 5]
    assert subset.train.tolist() == subset_indices(LABELS, [50, 23, 10, 5], 0).tolist()
    assert subset.validation.tolist() == []
    assert subset.notes == ()


def test_a_share_of_each_class_is_held_out_for_validation():
    whole = training_subset(c.Data("digits"), EXP, LABELS, CLASSES)
    subset = training_subset(c.Data("digits", validation=0.2), EXP, LABELS, CLASSES)
    assert np.bincount(LABELS[subset.validation]).tolist() == [10, 5, 2, 1]
    assert np.bincount(LABELS[subset.train]).tolist() == subset.wanted == [40, 18, 8, 4]
    both = [*subset.train, *subset.validation]
    assert sorted(both) == sorted(whole.train)
    # The images that are learned from keep their order.
    kept = [index for index in whole.train if index in set(subset.train)]
    assert subset.train.tolist() == kept


@pytest.mark.parametrize(("images", "held_out"), [(1, 0), (2, 1), (4, 1), (14, 1), (16, 2)])
def test_a_class_keeps_an_image_and_gives_one_if_it_can(images, held_out):
    labels = np.array([3] * images + [1] * 20)
    positions = validation_positions(labels, 0.1, seed=0)
    assert np.bincount(labels[positions], minlength=4).tolist() == [0, 2, 0, held_out]
    assert sorted(set(positions)) == positions.tolist()


def test_images_for_validation_follow_the_seed():
    first, again, other = (validation_positions(LABELS, 0.1, seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


def test_a_long_tail_with_validation():
    plain = load_long_tail(c.Data("digits"), EXP)
    tail = load_long_tail(c.Data("digits", validation=0.1), EXP)
    assert tail.validation is not None
    assert len(tail.validation) + len(tail.train) == len(plain.train)
    assert tail.counts == tail.train.labels.bincount().tolist()
    assert tail.test_sets.validation == len(tail.validation)
    assert describe_data("digits", tail)["validation_images"] == len(tail.validation)
    assert describe_data("digits", plain)["validation_images"] == 0
    assert tail.content_checksum != plain.content_checksum
    assert tail.test_checksum == plain.test_checksum


@pytest.mark.parametrize("kind", ["json", "json list", "npy", "txt"])
def test_positions_are_read_from_files_of_each_kind(tmp_path, kind):
    path = tmp_path / f"indices.{kind.split()[0]}"
    match kind:
        case "json":
            write_indices(path, np.array([5, 0, 9]), np.array([2]))
            assert json.loads(path.read_text()) == {
                "checksum": checksum(np.array([5, 0, 9])),
                "train": [5, 0, 9],
                "validation": [2],
            }
        case "json list":
            path.write_text("[5, 0, 9]")
        case "npy":
            np.save(path, np.array([5, 0, 9], np.int32))
        case "txt":
            path.write_text("5\n0\n9\n")
    train, validation = read_indices(str(path), 10)
    assert train.tolist() == [5, 0, 9]
    assert (validation is None) == (kind != "json")
    assert validation is None or validation.tolist() == [2]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "[1, 2", "cannot be read"),
        ("a.json", '{"test": [1]}', "has no list of numbers"),
        ("a.json", '{"train": [1], "validation": [1]}', "names an image twice"),
        ("a.json", '{"train": [1], "checksum": "f00d"}', "was changed"),
        ("a.json", "[0.5, 1.0]", "cannot be read"),
        ("a.txt", "one\ntwo", "cannot be read"),
        ("a.npy", "text", "cannot be read"),
        ("a.json", "[]", "has no list of numbers"),
        ("a.json", "[[1, 2], [3, 4]]", "cannot be read (its numbers are not in one list)"),
        ("a.txt", "3\n10", "has the number 10, but the training images have the numbers 0 to 9"),
        ("a.txt", "3\n-1", "has the number -1, but"),
        ("a.txt", "3\n3", "names an image twice"),
    ],
)
def test_files_that_are_wrong(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as caught:
        read_indices(str(tmp_path / name), 10)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"data.indices=.*cannot be read .*not found"):
        read_indices(str(tmp_path / "none.txt"), 10)


def test_a_file_reproduces_the_subset_of_others(tmp_path):
    theirs = load_long_tail(c.Data("digits", subset_seed=3), EXP)
    path = tmp_path / "indices.txt"
    path.write_text("\n".join(map(str, theirs.train_indices)))
    ours = load_long_tail(c.Data("digits", indices=str(path)), EXP)
    assert ours.checksum == theirs.checksum == checksum(theirs.train_indices)
    assert ours.notes == ()


def test_class_sizes_that_are_not_those_of_the_rule_are_told(tmp_path):
    path = tmp_path / "indices.txt"
    path.write_text("\n".join(map(str, range(0, 200, 7))))
    subset = training_subset(c.Data("digits", indices=str(path)), EXP, LABELS, CLASSES)
    assert subset.train.tolist() == list(range(0, 200, 7))
    assert subset.wanted == np.bincount(LABELS[::7]).tolist()
    (note,) = subset.notes
    assert "have other sizes than imbalance=exp0.1 gives them" in note


def test_a_file_without_images_of_a_class(tmp_path):
    path = tmp_path / "indices.txt"
    path.write_text("0\n60\n120")
    with pytest.raises(UserError, match=r"data.indices=.* leaves class d without .* another file"):
        training_subset(c.Data("digits", indices=str(path)), EXP, LABELS, CLASSES)


def test_a_file_brings_the_images_for_validation(tmp_path):
    theirs = training_subset(c.Data("digits", validation=0.2), EXP, LABELS, CLASSES)
    path = tmp_path / "indices.json"
    write_indices(path, theirs.train, theirs.validation)
    ours = training_subset(c.Data("digits", indices=str(path)), EXP, LABELS, CLASSES)
    assert ours.train.tolist() == theirs.train.tolist()
    assert ours.validation.tolist() == theirs.validation.tolist()
    without = training_subset(
        c.Data("digits", indices=str(path), validation=0), EXP, LABELS, CLASSES
    )
    assert without.train.tolist() == theirs.train.tolist()
    assert without.validation.tolist() == []


def test_positions_are_refused_where_images_are_missing(tmp_path):
    """They would be those of other images."""
    for number in range(12):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    path.write_bytes(b"broken")
    (tmp_path / "indices.txt").write_text("0\n1\n2\n3\n4\n5")
    settings = {"broken": "skip", "cache": str(tmp_path / "cache")}
    data = c.Data("folder", str(tmp_path / "photos"), **settings)
    assert describe_data("folder", load_long_tail(data, c.Imbalance()))["skipped_images"] == 1
    data = dataclasses.replace(data, indices=str(tmp_path / "indices.txt"))
    with pytest.raises(UserError, match=r"data.indices=.* 1 images cannot be read \(.*11.png"):
        load_long_tail(data, c.Imbalance())
