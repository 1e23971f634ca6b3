"""Arrays in one .npz file: what is read, and the message for each kind of mistake."""

import numpy as np
import pytest
import torch
from pictures import as_tensor, picture


@pytest.fixture
def arrays():
    """Colour images of three classes: six to train on, three for validation, two to test."""
    made, first = {}, 0
    for name, labels in (("train", [2, 0, 1, 0, 1, 2]), ("val", [0, 1, 2]), ("test", [1, 0])):
        numbers = range(first, first + len(labels))
        made[f"{name}_images"] = np.stack([picture(number) for number in numbers])
        made[f"{name}_labels"] = np.array(labels, np.uint8)[:, None]
        first += len(labels)
    return made


@pytest.fixture
def save(tmp_path):
    def _save(arrays, name="blood.npz"):
        np.savez(tmp_path / name, **arrays)
        return tmp_path / name

    return _save


@pytest.mark.parametrize("where", ["file", "folder"])
def test_arrays_give_all_three_splits(arrays, save, load_data, where):
    file = save(arrays)
    source = load_data("npz", file if where == "file" else file.parent)
    assert source.classes == ("0", "1", "2")
    assert source.train.labels.tolist() == [2, 0, 1, 0, 1, 2]
    assert source.validation.labels.tolist() == [0, 1, 2]
    assert source.test.labels.tolist() == [1, 0]
    images = torch.cat([part.images for part in source.parts.values()])
    assert torch.equal(images, torch.stack([as_tensor(picture(number)) for number in range(11)]))


def test_grey_images_and_labels_that_do_not_begin_at_zero(arrays, save, load_data):
    for name in ("train", "val", "test"):
        arrays[f"{name}_images"] = arrays[f"{name}_images"][..., 0]
        arrays[f"{name}_labels"] = arrays[f"{name}_labels"].astype(np.int64).reshape(-1) * 5 + 5
    source = load_data("npz", save(arrays))
    assert source.classes == ("5", "10", "15")
    assert source.train.labels.tolist() == [2, 0, 1, 0, 1, 2]
    grey = torch.from_numpy(arrays["test_images"])
    assert torch.equal(source.test.images, grey[:, None].expand(-1, 3, -1, -1))


def test_images_of_16_bits(arrays, save, load_data):
    for name in ("train", "val", "test"):
        arrays[f"{name}_images"] = arrays[f"{name}_images"][..., 0].astype(np.uint16) * 100
    source = load_data("npz", save(arrays))
    high = max(int(arrays[f"{name}_images"].max()) for name in ("train", "val", "test"))
    low = min(int(arrays[f"{name}_images"].min()) for name in ("train", "val", "test"))
    assert source.grey_range == (low, high)


@pytest.mark.parametrize(("left", "tests"), [(["train", "val"], 3), (["train"], 3)])
def test_without_test_arrays(arrays, save, load_data, left, tests):
    """Three images for validation, or one of each class held out."""
    kept = {name: array for name, array in arrays.items() if name.split("_")[0] in left}
    source = load_data("npz", save(kept))
    assert len(source.test) == tests
    assert len(source.train) == (6 if "val" in left else 3)


def test_several_labels_for_an_image(arrays, save, data_error):
    arrays["train_labels"] = np.zeros((6, 14), np.uint8)
    message = data_error("npz", save(arrays))
    assert "train_labels" in message
    assert "has 14 labels for each image: such a multi-label data set" in message
    assert "take one with a label for each image" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_images": np.zeros((6, 4, 4, 3))}, "train_images of {} is float64 [6, 4, 4, 3]"),
        ({"train_images": np.zeros((6, 4, 4, 2), np.uint8)}, "is uint8 [6, 4, 4, 2]: images must"),
        ({"train_images": np.zeros((5, 4, 4), np.uint8)}, "{} has 5 train_images and 6 labels"),
        ({"train_labels": np.zeros(6)}, "train_labels of {} is float64 [6]: it must have a whole"),
    ],
)
def test_arrays_of_another_kind(arrays, save, data_error, change, words):
    file = save(arrays | change)
    assert words.format(file) in data_error("npz", file)


def test_arrays_of_other_names(save, data_error):
    message = data_error("npz", save({"x": np.zeros(3), "y": np.zeros(3)}))
    assert "has the arrays x, y: it needs train_images and train_labels" in message


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4" + b"\0" * 50])
def test_a_damaged_file(tmp_path, data_error, content):
    (tmp_path / "x.npz").write_bytes(content)
    message = data_error("npz", tmp_path / "x.npz")
    assert f"data.root={tmp_path / 'x.npz'} cannot be read as .npz file" in message
    assert "download it again" in message


def test_a_file_that_is_not_there_and_a_folder_of_several(tmp_path, arrays, save, data_error):
    assert "cannot be read as .npz file" in data_error("npz", tmp_path / "none.npz")
    save(arrays, "a.npz")
    save(arrays, "b.npz")
    message = data_error("npz", tmp_path)
    assert "needs one .npz file and has a.npz, b.npz: name the file" in message


def test_arrays_of_objects_are_not_loaded(arrays, save, data_error):
    arrays["train_labels"] = np.array([{}] * 6, dtype=object)
    message = data_error("npz", save(arrays))
    assert "cannot be read as .npz file (Object arrays cannot be loaded" in message
