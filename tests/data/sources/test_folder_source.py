"""Images in one folder a class: what is read, and the message for each kind of mistake."""

import numpy as np
import pytest
import torch
from pictures import as_tensor, encoded, picture, write
from PIL import Image


@pytest.fixture
def split_folder(tmp_path):
    """Cats and dogs: 3 + 2 for training, 1 + 2 for testing."""
    names = (
        *("train/cat/0.png", "train/cat/1.png", "train/cat/deep/2.bmp"),
        *("train/dog/a.png", "train/dog/b.png"),
        *("test/cat/x.png", "test/dog/y.png", "test/dog/z.png"),
    )
    for number, name in enumerate(names):
        write(tmp_path / "images" / name, picture(number))
    return tmp_path / "images"


@pytest.fixture
def flat_folder(tmp_path):
    """Seven of class a, two of b, one of c."""
    for label, count in (("a", 7), ("b", 2), ("c", 1)):
        for number in range(count):
            write(tmp_path / "flat" / label / f"{number}.png", picture(10 * ord(label) + number))
    return tmp_path / "flat"


def test_a_folder_with_train_and_test(split_folder, load_data):
    (split_folder / "train" / "cat" / "notes.txt").write_text("not an image")
    (split_folder / "train" / ".hidden").mkdir()
    source = load_data("folder", split_folder)
    assert source.notes == ()
    assert source.classes == ("cat", "dog")
    assert source.train.labels.tolist() == [0, 0, 0, 1, 1]
    assert source.test.labels.tolist() == [0, 1, 1]
    assert source.train.labels.dtype == torch.int64
    expected = torch.stack([as_tensor(picture(number)) for number in range(8)])
    assert source.train.images.dtype == torch.uint8
    assert torch.equal(torch.cat([source.train.images, source.test.images]), expected)


def test_a_folder_without_train_and_test_holds_out_a_fifth_of_each_class(flat_folder, load_data):
    """The folder has seven images of class a, two of class b and one of class c."""
    counts = {"a": 7, "b": 2, "c": 1}
    numbers = [10 * ord(name) + number for name in counts for number in range(counts[name])]
    pixels = sorted(as_tensor(picture(number)).numpy().tobytes() for number in numbers)
    splits = []
    for seed in (0, 0, 1, 2, 3):
        source = load_data("folder", flat_folder, split_seed=seed)
        assert source.classes == ("a", "b", "c")
        assert source.train.labels.tolist() == [0] * 5 + [1, 2]
        assert source.test.labels.tolist() == [0, 0, 1]
        images = torch.cat([source.train.images, source.test.images])
        everything = [image.tobytes() for image in images.numpy()]
        assert sorted(everything) == pixels
        splits.append(everything)
    assert splits[0] == splits[1]
    assert len({tuple(split) for split in splits}) > 2


def test_images_of_a_folder_are_scaled_to_the_short_side_and_cut_to_the_middle(tmp_path, load_data):
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = (255, 0, 0)
    for label in "ab":
        for number in range(2):
            write(tmp_path / "wide" / label / f"{number}.png", wide if label == "a" else wide[8:])
    source = load_data("folder", tmp_path / "wide", image_size=8)
    assert source.train.images.shape == (2, 3, 8, 8)
    middle = source.train.images[0]  # scaled from 16 x 48 to 8 x 24; the middle is red
    assert torch.equal(middle[:, :, 1:7], torch.tensor([255, 0, 0]).view(3, 1, 1).expand(3, 8, 6))
    assert not torch.equal(source.train.images[1], middle)


def test_grey_and_palette_images_become_three_channels(tmp_path, load_data):
    grey = picture(0)[:, :, 0]
    for label in "ab":
        for number in range(2):
            write(tmp_path / "grey" / label / f"{number}.png", grey)
    Image.fromarray(grey).convert("P").save(tmp_path / "grey" / "b" / "0.png")
    images = load_data("folder", tmp_path / "grey").train.images
    for image in images:
        assert torch.equal(image, torch.from_numpy(grey).expand(3, -1, -1))


@pytest.mark.parametrize("sizes", [(8, 10), (10, 8)])
def test_images_of_different_size_ask_for_a_size(tmp_path, data_error, load_data, sizes):
    for label in "ab":
        for number in range(2):
            size = (sizes[number], sizes[number])
            write(tmp_path / "mixed" / label / f"{number}.png", picture(number, size))
    message = data_error("folder", tmp_path / "mixed")
    assert "8x8" in message
    assert "10x10" in message
    assert "data.image_size=32" in message
    assert load_data("folder", tmp_path / "mixed", image_size=8).train.images.shape[2:] == (8, 8)


def test_training_and_test_images_of_different_size_ask_for_a_size(
    split_folder, data_error, load_data
):
    for number, name in enumerate(("test/cat/x.png", "test/dog/y.png", "test/dog/z.png")):
        write(split_folder / name, picture(number, (12, 10)))
    message = data_error("folder", split_folder)
    assert "8x8" in message
    assert "12x10" in message
    assert "data.image_size=32" in message
    assert load_data("folder", split_folder, image_size=8).test.images.shape == (3, 3, 8, 8)


def test_a_folder_that_is_not_there(tmp_path, data_error):
    message = data_error("folder", tmp_path / "nowhere")
    assert f"data.root={tmp_path / 'nowhere'} is not a folder" in message
    assert "set the one with a folder per class" in message


def test_an_empty_folder(tmp_path, data_error):
    (tmp_path / "empty").mkdir()
    message = data_error("folder", tmp_path / "empty")
    assert str(tmp_path / "empty") in message
    assert "one folder of images per class" in message


def test_a_folder_of_one_class(flat_folder, tmp_path, data_error):
    (tmp_path / "one").mkdir()
    (flat_folder / "a").rename(tmp_path / "one" / "a")
    message = data_error("folder", tmp_path / "one")
    assert "only one class (a)" in message
    assert "classification needs at least two" in message


def test_a_class_without_an_image(flat_folder, data_error):
    (flat_folder / "d").mkdir()
    (flat_folder / "d" / "readme.txt").write_text("soon")
    message = data_error("folder", flat_folder)
    assert f"{flat_folder / 'd'} contains no image" in message
    assert "add images or remove the folder" in message


@pytest.mark.parametrize(("has", "lacks"), [("train", "test"), ("test", "train")])
def test_a_class_in_only_one_of_train_and_test(split_folder, data_error, has, lacks):
    write(split_folder / has / "emu" / "0.png", picture(0))
    message = data_error("folder", split_folder)
    assert f"class emu is in {split_folder / has} but not in {split_folder / lacks}" in message
    assert "add it there or remove it" in message


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_validation_images_serve_as_test_images_where_there_are_none(split_folder, load_data, name):
    with_test = load_data("folder", split_folder)
    (split_folder / "test").rename(split_folder / name)
    source = load_data("folder", split_folder)
    assert source.classes == ("cat", "dog")
    assert torch.equal(source.test.images, with_test.test.images)
    assert source.validation is None
    (note,) = source.notes
    assert "no test images: those of its validation split serve as such" in note


def test_validation_images_are_a_split_of_their_own(split_folder, load_data):
    write(split_folder / "val" / "dog" / "v.png", picture(20))  # without the other class
    source = load_data("folder", split_folder)
    assert torch.equal(source.validation.images, as_tensor(picture(20))[None])
    assert source.validation.labels.tolist() == [1]
    assert (len(source.train), len(source.test)) == (5, 3)
    assert source.notes == ("images of its validation split are not trained on: 1",)


def test_a_class_of_validation_images_alone(split_folder, data_error):
    write(split_folder / "val" / "emu" / "v.png", picture(20))
    message = data_error("folder", split_folder)
    assert f"class emu is in {split_folder / 'val'} but not in {split_folder / 'train'}" in message


def test_training_images_alone_give_their_test_images(split_folder, load_data):
    (split_folder / "test").rename(split_folder.parent / "elsewhere")
    source = load_data("folder", split_folder)
    assert source.classes == ("cat", "dog")
    assert (source.train.labels.tolist(), source.test.labels.tolist()) == ([0, 0, 1], [0, 1])


def test_hidden_and_system_files_are_left_out_and_counted(split_folder, load_data):
    expected = load_data("folder", split_folder)
    litter = (
        *("train/cat/._0.png", "train/cat/.DS_Store", "train/dog/Thumbs.db", "test/desktop.ini"),
        *("train/.ipynb_checkpoints/0-checkpoint.png", "train/cat/.hidden/deep/9.png"),
        *("train/__MACOSX/cat/0.png", "test/__MACOSX/dog/._x.png"),
    )
    for name in litter:
        write(split_folder / name, picture(30), format="PNG")
    (split_folder / "train" / "cat" / "notes.txt").write_text("no image, and not counted")
    (split_folder / "__MACOSX").mkdir()
    source = load_data("folder", split_folder)
    assert source.classes == ("cat", "dog")
    assert torch.equal(source.train.images, expected.train.images)
    assert torch.equal(source.test.images, expected.test.images)
    assert source.notes == (
        "8 hidden or system files were left out: .DS_Store, ._0.png, ._x.png, ...",
    )


def test_a_class_may_be_called_train(flat_folder, load_data):
    (flat_folder / "b").rename(flat_folder / "train")
    assert load_data("folder", flat_folder).classes == ("a", "c", "train")


def test_classes_may_be_called_train_and_val_beside_a_test_folder(split_folder, load_data):
    for part in ("train", "test"):
        (split_folder / part / "cat").rename(split_folder / part / "train")
        (split_folder / part / "dog").rename(split_folder / part / "val")
    assert load_data("folder", split_folder).classes == ("train", "val")


@pytest.mark.parametrize("name", ["val", "test"])
def test_folders_beside_those_of_the_splits_are_named(split_folder, load_data, name):
    (split_folder / "test").rename(split_folder / name)
    for number, other in enumerate(("a", "b", "c", "meta")):
        write(split_folder / other / "x.png", picture(40 + number))
    source = load_data("folder", split_folder)
    assert source.classes == ("cat", "dog")
    assert (len(source.train), len(source.test)) == (5, 3)
    assert source.notes[0] == f"folders beside train, {name} were left out: a, b, c, ..."


def test_classes_may_be_called_train_and_val_beside_other_classes(flat_folder, load_data):
    (flat_folder / "a").rename(flat_folder / "train")
    (flat_folder / "b").rename(flat_folder / "val")
    source = load_data("folder", flat_folder)
    assert source.classes == ("c", "train", "val")
    assert source.notes == ()


def test_two_folders_for_validation(split_folder, data_error):
    for name in ("val", "valid"):
        write(split_folder / name / "cat" / "0.png", picture(40))
    message = data_error("folder", split_folder)
    assert f"{split_folder} has val and valid, two folders of images for validation" in message
    assert "remove or rename one" in message


def test_classes_of_one_image_leave_nothing_to_test_on(tmp_path, data_error):
    for label in "ab":
        write(tmp_path / "single" / label / "0.png", picture(0))
    message = data_error("folder", tmp_path / "single")
    assert "data=folder has no test image" in message
    assert "add a folder `test` beside `train`" in message


@pytest.mark.parametrize("damage", ["text", "cut short", "empty"])
def test_a_broken_image(flat_folder, data_error, damage):
    path = flat_folder / "b" / "0.png"
    whole = encoded(picture(0, (64, 64)))
    path.write_bytes(
        {"text": b"no image\n", "cut short": whole[: len(whole) // 2], "empty": b""}[damage]
    )
    message = data_error("folder", flat_folder)
    assert f"image {path} cannot be read" in message
    assert "replace or remove it" in message


def test_an_image_of_floats_is_not_cut_off(flat_folder, data_error):
    path = flat_folder / "b" / "0.tif"
    Image.fromarray((picture(0)[:, :, 0] * 257.0).astype(np.float32)).save(path)
    message = data_error("folder", flat_folder)
    assert f"image {path} cannot be read" in message
    assert "more than 8 bits" in message
    assert "replace or remove it" in message


def test_an_image_too_large_to_decode(flat_folder, data_error, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16)
    message = data_error("folder", flat_folder)
    assert f"image {flat_folder}" in message
    assert "replace or remove it" in message


def test_a_link_to_nothing(flat_folder, data_error):
    link = flat_folder / "b" / "9.png"
    link.symlink_to(flat_folder / "gone.png")
    message = data_error("folder", flat_folder)
    assert f"{link} cannot be read" in message
    assert "replace or remove it" in message
