"""Sources: images and labels that they return, and the message for each kind of mistake."""

import io
import json
import urllib.error
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torchvision.datasets
from PIL import Image
from sklearn.datasets import load_digits

from ltnas.config import Data
from ltnas.data.decode import decode
from ltnas.data.listing import EncodedImage
from ltnas.data.sources import load_source
from ltnas.data.sources.digits import every_fifth
from ltnas.data.sources.resize import resize
from ltnas.errors import UserError


def picture(number, size=(8, 8)):
    """Return a random image, uint8 [H, W, 3], determined by a number."""
    width, height = size
    return np.random.RandomState(number).randint(0, 256, (height, width, 3)).astype(np.uint8)


def encoded(pixels, kind="png"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def as_tensor(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


@pytest.fixture
def load(tmp_path):
    """Function that loads a source with a cache folder of this test."""

    def _load(source, root=None, **settings):
        root = root if root is None else str(root)
        return load_source(Data(source, root, cache=str(tmp_path / "cache"), **settings))

    return _load


@pytest.fixture
def failure(load):
    """Function that returns the message of the `UserError` raised by loading."""

    def _failure(*args, **settings):
        with pytest.raises(UserError) as caught:
            load(*args, **settings)
        message = str(caught.value)
        assert "\n" not in message
        return message

    return _failure


def test_an_unknown_source_is_refused():
    data = Data("digits")
    data.source = "imagenet"  # the constructor would refuse it, too
    with pytest.raises(ValueError, match="imagenet is not a value on the data axis"):
        load_source(data)


# --- a folder -------------------------------------------------------------------------------------


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


def test_a_folder_with_train_and_test(split_folder, load):
    (split_folder / "train" / "cat" / "notes.txt").write_text("not an image")
    (split_folder / "train" / ".hidden").mkdir()
    (split_folder / "val").mkdir()
    source = load("folder", split_folder)
    assert source.classes == ("cat", "dog")
    assert source.train.labels.tolist() == [0, 0, 0, 1, 1]
    assert source.test.labels.tolist() == [0, 1, 1]
    assert source.train.labels.dtype == torch.int64
    expected = torch.stack([as_tensor(picture(number)) for number in range(8)])
    assert source.train.images.dtype == torch.uint8
    assert torch.equal(torch.cat([source.train.images, source.test.images]), expected)


def test_a_folder_without_train_and_test_holds_out_a_fifth_of_each_class(flat_folder, load):
    """The folder has seven images of class a, two of class b and one of class c."""
    counts = {"a": 7, "b": 2, "c": 1}
    numbers = [10 * ord(name) + number for name in counts for number in range(counts[name])]
    pixels = sorted(as_tensor(picture(number)).numpy().tobytes() for number in numbers)
    splits = []
    for seed in (0, 0, 1, 2, 3):
        source = load("folder", flat_folder, split_seed=seed)
        assert source.classes == ("a", "b", "c")
        assert source.train.labels.tolist() == [0] * 5 + [1, 2]
        assert source.test.labels.tolist() == [0, 0, 1]
        images = torch.cat([source.train.images, source.test.images])
        everything = [image.tobytes() for image in images.numpy()]
        assert sorted(everything) == pixels
        splits.append(everything)
    assert splits[0] == splits[1]
    assert len({tuple(split) for split in splits}) > 2


def test_images_of_a_folder_are_scaled_to_the_short_side_and_cut_to_the_middle(tmp_path, load):
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = (255, 0, 0)
    for label in "ab":
        for number in range(2):
            write(tmp_path / "wide" / label / f"{number}.png", wide if label == "a" else wide[8:])
    source = load("folder", tmp_path / "wide", image_size=8)
    assert source.train.images.shape == (2, 3, 8, 8)
    middle = source.train.images[0]  # scaled from 16 x 48 to 8 x 24; the middle is red
    assert torch.equal(middle[:, :, 1:7], torch.tensor([255, 0, 0]).view(3, 1, 1).expand(3, 8, 6))
    assert not torch.equal(source.train.images[1], middle)


def test_grey_and_palette_images_become_three_channels(tmp_path, load):
    grey = picture(0)[:, :, 0]
    for label in "ab":
        for number in range(2):
            write(tmp_path / "grey" / label / f"{number}.png", grey)
    Image.fromarray(grey).convert("P").save(tmp_path / "grey" / "b" / "0.png")
    images = load("folder", tmp_path / "grey").train.images
    for image in images:
        assert torch.equal(image, torch.from_numpy(grey).expand(3, -1, -1))


@pytest.mark.parametrize("sizes", [(8, 10), (10, 8)])
def test_images_of_different_size_ask_for_a_size(tmp_path, failure, load, sizes):
    for label in "ab":
        for number in range(2):
            size = (sizes[number], sizes[number])
            write(tmp_path / "mixed" / label / f"{number}.png", picture(number, size))
    message = failure("folder", tmp_path / "mixed")
    assert "8x8" in message
    assert "10x10" in message
    assert "data.image_size=32" in message
    assert load("folder", tmp_path / "mixed", image_size=8).train.images.shape[2:] == (8, 8)


def test_training_and_test_images_of_different_size_ask_for_a_size(split_folder, failure, load):
    for number, name in enumerate(("test/cat/x.png", "test/dog/y.png", "test/dog/z.png")):
        write(split_folder / name, picture(number, (12, 10)))
    message = failure("folder", split_folder)
    assert "8x8" in message
    assert "12x10" in message
    assert "data.image_size=32" in message
    assert load("folder", split_folder, image_size=8).test.images.shape == (3, 3, 8, 8)


def test_a_folder_that_is_not_there(tmp_path, failure):
    message = failure("folder", tmp_path / "nowhere")
    assert f"data.root={tmp_path / 'nowhere'} is not a folder" in message
    assert "set the one with a folder per class" in message


def test_an_empty_folder(tmp_path, failure):
    (tmp_path / "empty").mkdir()
    message = failure("folder", tmp_path / "empty")
    assert str(tmp_path / "empty") in message
    assert "one folder of images per class" in message


def test_a_folder_of_one_class(flat_folder, tmp_path, failure):
    (tmp_path / "one").mkdir()
    (flat_folder / "a").rename(tmp_path / "one" / "a")
    message = failure("folder", tmp_path / "one")
    assert "only one class (a)" in message
    assert "classification needs at least two" in message


def test_a_class_without_an_image(flat_folder, failure):
    (flat_folder / "d").mkdir()
    (flat_folder / "d" / "readme.txt").write_text("soon")
    message = failure("folder", flat_folder)
    assert f"{flat_folder / 'd'} contains no image" in message
    assert "add images or remove the folder" in message


@pytest.mark.parametrize(("has", "lacks"), [("train", "test"), ("test", "train")])
def test_a_class_in_only_one_of_train_and_test(split_folder, failure, has, lacks):
    write(split_folder / has / "emu" / "0.png", picture(0))
    message = failure("folder", split_folder)
    assert f"class emu is in {split_folder / has} but not in {split_folder / lacks}" in message
    assert "add it there or remove it" in message


@pytest.mark.parametrize("other", [None, "val", "validation"])
def test_train_without_test_is_not_taken_for_a_class(split_folder, failure, other):
    if other is None:
        (split_folder / "test").rename(split_folder.parent / "elsewhere")
    else:
        (split_folder / "test").rename(split_folder / other)
    message = failure("folder", split_folder)
    assert f"{split_folder} has a folder `train` but no `test`" in message
    assert "rename the folder of test images to `test`" in message


def test_a_class_may_be_called_train(flat_folder, load):
    (flat_folder / "b").rename(flat_folder / "train")
    assert load("folder", flat_folder).classes == ("a", "c", "train")


def test_classes_may_be_called_train_and_val_beside_a_test_folder(split_folder, load):
    for part in ("train", "test"):
        (split_folder / part / "cat").rename(split_folder / part / "train")
        (split_folder / part / "dog").rename(split_folder / part / "val")
    assert load("folder", split_folder).classes == ("train", "val")


def test_classes_of_one_image_leave_nothing_to_test_on(tmp_path, failure):
    for label in "ab":
        write(tmp_path / "single" / label / "0.png", picture(0))
    message = failure("folder", tmp_path / "single")
    assert "data=folder has no test image" in message
    assert "add a folder `test` beside `train`" in message


@pytest.mark.parametrize("damage", ["text", "cut short", "empty"])
def test_a_broken_image(flat_folder, failure, damage):
    path = flat_folder / "b" / "0.png"
    whole = encoded(picture(0, (64, 64)))
    path.write_bytes(
        {"text": b"no image\n", "cut short": whole[: len(whole) // 2], "empty": b""}[damage]
    )
    message = failure("folder", flat_folder)
    assert f"image {path} cannot be read" in message
    assert "replace or remove it" in message


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_an_image_of_more_bits_than_a_byte_is_not_cut_off(flat_folder, failure, kind):
    path = flat_folder / "b" / "0.tif"
    Image.fromarray((picture(0)[:, :, 0] * 257.0).astype(kind)).save(path)
    message = failure("folder", flat_folder)
    assert f"image {path} cannot be read" in message
    assert "more than 8 bits" in message
    assert "replace or remove it" in message


def test_an_image_too_large_to_decode(flat_folder, failure, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 16)
    message = failure("folder", flat_folder)
    assert f"image {flat_folder}" in message
    assert "replace or remove it" in message


def test_a_link_to_nothing(flat_folder, failure):
    link = flat_folder / "b" / "9.png"
    link.symlink_to(flat_folder / "gone.png")
    message = failure("folder", flat_folder)
    assert f"{link} cannot be read" in message
    assert "replace or remove it" in message


# --- Parquet --------------------------------------------------------------------------------------


def table(numbers, labels, column="img", metadata=None, size=(8, 8)):
    images = [
        {"bytes": encoded(picture(number, size)), "path": f"{number}.png"} for number in numbers
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = {column: pa.array(images, kind), "label": pa.array(labels, pa.int64())}
    made = pa.table(fields)
    return made if metadata is None else made.replace_schema_metadata(metadata)


@pytest.fixture
def parquet(tmp_path):
    """Two files for training, one for testing: six and three images of three classes."""
    folder = tmp_path / "parquet"
    folder.mkdir()
    pq.write_table(table(range(4), [2, 0, 1, 0]), folder / "train-00000-of-00002.parquet")
    pq.write_table(table(range(4, 6), [1, 2]), folder / "train-00001-of-00002.parquet")
    pq.write_table(table(range(6, 9), [0, 1, 2]), folder / "test-00000-of-00001.parquet")
    return folder


def test_parquet_gives_pixels_and_labels_in_the_order_of_the_files(parquet, load):
    source = load("cifar10_parquet", parquet)
    expected = torch.stack([as_tensor(picture(number)) for number in range(9)])
    assert torch.equal(torch.cat([source.train.images, source.test.images]), expected)
    assert source.train.labels.tolist() == [2, 0, 1, 0, 1, 2]
    assert source.test.labels.tolist() == [0, 1, 2]
    assert source.train.labels.dtype == torch.int64
    assert source.classes == ("0", "1", "2")  # three classes are not those of CIFAR-10


def test_parquet_may_call_the_column_image(parquet, load):
    for path in sorted(parquet.iterdir()):
        read = pq.read_table(path)
        pq.write_table(read.rename_columns(["image", "label"]), path)
    assert load("cifar10_parquet", parquet).train.labels.tolist() == [2, 0, 1, 0, 1, 2]


def test_parquet_images_are_scaled(parquet, load):
    assert load("cifar10_parquet", parquet, image_size=5).train.images.shape == (6, 3, 5, 5)


def of_the_hub(names):
    """Return the metadata of a file whose schema gives names to the classes."""
    features = {"label": {"names": names, "_type": "ClassLabel"}}
    return {"huggingface": json.dumps({"info": {"features": features}})}


@pytest.fixture
def named(parquet):
    """Function that writes class names into the schema of the first training file."""

    def _named(*names, labels=(2, 0, 1, 0), file="train-00000-of-00002.parquet"):
        pq.write_table(table(range(4), labels, metadata=of_the_hub(names)), parquet / file)

    return _named


def test_parquet_class_names_are_those_of_the_hub(parquet, named, load):
    named("ape", "bee", "cow")
    assert load("cifar10_parquet", parquet).classes == ("ape", "bee", "cow")


@pytest.mark.parametrize(
    ("names", "missing"), [(("ape", "bee", "cow", "dog"), "dog"), (("x", "y", "z", *"abc"), "a")]
)
def test_last_classes_of_a_schema_without_images_are_missed_by_name(
    parquet, named, failure, names, missing
):
    named(*names)
    message = failure("cifar10_parquet", parquet)
    assert f"data=cifar10_parquet has no training image of class {missing}: add one" in message


def test_a_parquet_label_beyond_the_names_of_the_schema(parquet, named, failure):
    named("ape", "bee")
    message = failure("cifar10_parquet", parquet)
    assert f"{parquet / 'train-00000-of-00002.parquet'} names 2 classes" in message
    assert "labels up to 2" in message
    assert "correct the labels" in message


def test_parquet_files_with_different_class_names(parquet, named, failure):
    named("ape", "bee", "cow")
    named("bee", "ape", "cow", file="test-00000-of-00001.parquet")
    message = failure("cifar10_parquet", parquet)
    assert "train-00000-of-00002.parquet" in message
    assert "test-00000-of-00001.parquet have different class names" in message


@pytest.mark.parametrize("source", ["cifar10_parquet", "cifar10"])
def test_two_classes_of_one_name(parquet, named, failure, monkeypatch, source):
    named("ape", "bee", "ape")
    calls = fake_cifar10(monkeypatch, names=("ape", "bee", "ape", *"defghij"))
    message = failure(source, parquet)
    assert bool(calls) == (source == "cifar10")
    assert f"data={source} has 2 classes with the name 'ape' (numbers 0, 2)" in message
    assert "give each class a name of its own" in message


@pytest.mark.parametrize(
    ("lacks", "words"),
    [
        (["train-00001-of-00003"], "has no train-00001-of-00003.parquet: download it"),
        (["train-00000-of-00003"], "has no train-00000-of-00003.parquet: download it"),
        (["test-00001-of-00002"], "has no test-00001-of-00002.parquet: download it"),
        (
            ["train-00001-of-00003", "train-00002-of-00003"],
            "has no train-00001-of-00003.parquet and 1 more of 3 files: download it",
        ),
    ],
)
def test_a_parquet_file_that_is_missing_is_named(tmp_path, failure, load, lacks, words):
    names = [
        *(f"train-0000{i}-of-00003" for i in range(3)),
        *(f"test-0000{i}-of-00002" for i in (0, 1)),
    ]
    for name in names:
        pq.write_table(table(range(2), [0, 1]), tmp_path / f"{name}.parquet")
    assert len(load("cifar10_parquet", tmp_path).train.labels) == 6
    for name in lacks:
        (tmp_path / f"{name}.parquet").unlink()
    assert failure("cifar10_parquet", tmp_path) == f"{tmp_path} {words}"


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("train-00002-of-00003", "train-00000-of-00002.parquet and train-00002-of-00003.parquet"),
        ("train-00001-of-00002-1f", "two files of one number: remove one of them"),
        ("train-00002-of-00002", "files are numbered from 0 to 1: remove or rename it"),
    ],
)
def test_parquet_files_whose_numbers_contradict_each_other(parquet, failure, added, words):
    pq.write_table(table(range(2), [0, 1]), parquet / f"{added}.parquet")
    message = failure("cifar10_parquet", parquet)
    assert message.startswith(f"{parquet} has ")
    assert f"{added}.parquet" in message
    assert words in message


def test_parquet_files_are_numbered_within_their_own_name(parquet, load):
    for number in range(3):
        name = f"train-more-0000{number}-of-00003-9e3f.parquet"
        pq.write_table(table(range(2), [0, 1]), parquet / name)
    assert len(load("cifar10_parquet", parquet).train.labels) == 12


def test_a_missing_parquet_file_with_a_checksum_in_its_name(parquet, failure):
    pq.write_table(table(range(2), [0, 1]), parquet / "train-more-0-of-2-9e3f.parquet")
    assert "has no train-more-1-of-2-*.parquet: download it" in failure("cifar10_parquet", parquet)


def test_ten_unnamed_parquet_classes_are_those_of_cifar10(tmp_path, load):
    for part in ("train", "test"):
        pq.write_table(table(range(10), range(10)), tmp_path / f"{part}-0.parquet")
    classes = load("cifar10_parquet", tmp_path).classes
    assert classes[:3] == ("airplane", "automobile", "bird")
    assert classes[9] == "truck"
    assert len(set(classes)) == 10


def test_a_parquet_folder_that_is_not_there(tmp_path, failure):
    message = failure("cifar10_parquet", tmp_path / "nowhere")
    assert f"data.root={tmp_path / 'nowhere'} is not a folder" in message
    assert "set the one with train-*.parquet" in message


@pytest.mark.parametrize("part", ["train", "test"])
def test_no_parquet_files_of_a_part(parquet, failure, part):
    for path in parquet.glob(f"{part}-*"):
        path.unlink()
    message = failure("cifar10_parquet", parquet)
    assert f"data.root={parquet} has no {part}-*.parquet: set the folder that has it" in message


@pytest.mark.parametrize("left", [0, 50, 400])
def test_a_truncated_parquet_file(parquet, failure, left):
    path = parquet / "train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:left])
    message = failure("cifar10_parquet", parquet)
    assert f"{path} cannot be read as Parquet" in message
    assert "download it again" in message


IMAGE_BYTES = pa.array([encoded(picture(0))])


@pytest.mark.parametrize(
    "columns",
    [
        {"img": pa.array([{"bytes": b""}]), "fine_label": pa.array([1])},
        {"picture": pa.array([{"bytes": b""}]), "label": pa.array([1])},
        {"img": IMAGE_BYTES, "label": pa.array([1])},
        {"img": pa.array([{"path": "a.png"}]), "label": pa.array([1])},
        {"img": pa.array([{"bytes": b""}]), "label": pa.array(["cat"])},
    ],
    ids=["no label", "no image", "bare bytes", "path only", "label of text"],
)
def test_parquet_with_other_columns(parquet, failure, columns):
    path = parquet / "test-00000-of-00001.parquet"
    pq.write_table(pa.table(columns), path)
    message = failure("cifar10_parquet", parquet)
    assert message.startswith(f"{path} has the columns ")
    assert all(name in message for name in columns)
    assert "it needs img (or image), a struct with the bytes" in message
    assert "label, an integer" in message


@pytest.mark.parametrize("image", [None, {"bytes": None}, {"bytes": b"no image"}])
def test_a_broken_image_in_parquet(parquet, failure, image):
    path = parquet / "train-00001-of-00002.parquet"
    kind = pa.struct([("bytes", pa.binary())])
    images = pa.array([{"bytes": encoded(picture(0))}, image], kind)
    pq.write_table(pa.table({"img": images, "label": pa.array([0, 1])}), path)
    message = failure("cifar10_parquet", parquet)
    assert f"image {path} row 1 cannot be read" in message
    assert "replace or remove it" in message


@pytest.mark.parametrize("label", [None, -1])
def test_parquet_without_labels(parquet, failure, label):
    path = parquet / "test-00000-of-00001.parquet"
    pq.write_table(table(range(2), [0, label]), path)
    message = failure("cifar10_parquet", parquet)
    assert f"{path} row 1 has the label {label}" in message
    assert "use a file with labels" in message


def test_parquet_without_rows(parquet, failure):
    path = parquet / "test-00000-of-00001.parquet"
    pq.write_table(table([], []), path)
    message = failure("cifar10_parquet", parquet)
    assert f"{path} has no rows: download it again" in message


def test_a_parquet_class_without_a_training_image(parquet, failure):
    pq.write_table(table(range(3), [0, 3, 4]), parquet / "test-00000-of-00001.parquet")
    message = failure("cifar10_parquet", parquet)
    assert "has no training image of class 3" in message
    assert "add one or remove the class" in message


def test_parquet_of_one_class(tmp_path, failure):
    for part in ("train", "test"):
        pq.write_table(table(range(3), [0, 0, 0]), tmp_path / f"{part}-0.parquet")
    message = failure("cifar10_parquet", tmp_path)
    assert "data=cifar10_parquet has only one class (0)" in message
    assert "classification needs at least two" in message


# --- CIFAR-10 and digits --------------------------------------------------------------------------


def fake_cifar10(monkeypatch, error=None, names=None):
    """Replace torchvision's CIFAR-10 by a small data set or an error; return the calls."""
    calls = []

    def build(root, train, download):
        calls.append((root, train, download))
        if error is not None:
            raise error
        count = 20 if train else 10
        pixels = np.stack([picture(number, (32, 32)) for number in range(count)])
        return SimpleNamespace(
            data=pixels,
            targets=[number % 10 for number in range(count)],
            classes=names or [f"class {number}" for number in range(10)],
        )

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", build)
    return calls


def test_cifar10_is_that_of_torchvision(tmp_path, monkeypatch, load):
    calls = fake_cifar10(monkeypatch)
    source = load("cifar10", tmp_path / "here")
    assert calls == [(str(tmp_path / "here"), True, True), (str(tmp_path / "here"), False, True)]
    assert source.train.images.shape == (20, 3, 32, 32)
    assert torch.equal(source.train.images[3], as_tensor(picture(3, (32, 32))))
    assert torch.equal(source.test.images[9], as_tensor(picture(9, (32, 32))))
    assert source.train.labels.tolist() == [number % 10 for number in range(20)]
    assert source.train.labels.dtype == torch.int64
    assert source.classes == tuple(f"class {number}" for number in range(10))
    assert load("cifar10", image_size=16).test.images.shape == (10, 3, 16, 16)
    assert calls[2][0] == str(tmp_path / "cache" / "cifar10")


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        TimeoutError("timed out"),
        ConnectionResetError("connection reset"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_cifar10_without_a_network(tmp_path, monkeypatch, failure, error):
    fake_cifar10(monkeypatch, error)
    message = failure("cifar10", tmp_path / "here")
    assert f"CIFAR-10 cannot be downloaded ({getattr(error, 'reason', error)})" in message
    assert f"copy cifar-10-python.tar.gz into {tmp_path / 'here'}" in message
    assert "data=cifar10_parquet data.root=PATH" in message
    assert "data=digits" in message


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Dataset not found or corrupted."),
        EOFError("Ran out of input"),
        OSError("not a gzip file"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_damaged_cifar10(tmp_path, monkeypatch, failure, error):
    fake_cifar10(monkeypatch, error)
    message = failure("cifar10", tmp_path / "here")
    assert f"CIFAR-10 in {tmp_path / 'here'} cannot be read ({error})" in message
    assert "delete that folder" in message


def test_digits_are_those_of_scikit_learn(load):
    source = load("digits")
    pixels, labels = load_digits(return_X_y=True)
    test = np.zeros(len(labels), bool)
    seen = [0] * 10
    for row, label in enumerate(labels):
        test[row] = seen[label] % 5 == 1
        seen[label] += 1
    assert source.classes == tuple("0123456789")
    for part, mask in ((source.train, ~test), (source.test, test)):
        assert part.labels.tolist() == labels[mask].tolist()
        assert part.labels.dtype == torch.int64
        expected = np.rint(pixels[mask] * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)
        assert torch.equal(part.images, torch.from_numpy(expected).expand(-1, 3, -1, -1))
    assert len(source.train.labels) + len(source.test.labels) == 1797


def test_digits_are_scaled(load):
    small, large = load("digits"), load("digits", image_size=16)
    assert large.train.images.shape[1:] == (3, 16, 16)
    assert large.train.images.dtype == torch.uint8
    middle = large.train.images.float().unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean((3, 5))
    assert (middle - small.train.images.float()).abs().mean() < 25


def test_every_fifth_of_a_class_is_held_out_beginning_with_the_second():
    labels = torch.tensor([0, 1, 0, 0, 2, 0, 1, 0, 0, 0])
    assert every_fifth(labels).nonzero().flatten().tolist() == [2, 6, 9]


# --- helpers --------------------------------------------------------------------------------------


def test_resize_keeps_what_has_the_size_and_does_parts_as_the_whole():
    images = torch.from_numpy(np.random.RandomState(0).randint(0, 256, (5000, 3, 4, 4))).byte()
    assert resize(images, None) is images
    assert resize(images, 4) is images
    scaled = resize(images, 6)
    assert scaled.shape == (5000, 3, 6, 6)
    assert scaled.dtype == torch.uint8
    for row in (0, 4095, 4096, 4999):  # on both sides of the border between parts
        assert torch.equal(scaled[row], resize(images[row : row + 1], 6)[0])
    step = torch.tensor([0, 1], dtype=torch.uint8).expand(1, 3, 2, 2)
    assert resize(step, 4)[0, 0, 0].tolist() == [0, 0, 1, 1]  # rounded from 0, 1/4, 3/4, 1
    even = torch.full((1, 3, 4, 4), 200, dtype=torch.uint8)
    assert torch.equal(resize(even, 9), torch.full((1, 3, 9, 9), 200, dtype=torch.uint8))


def test_decode_keeps_the_order_of_many_images(monkeypatch):
    monkeypatch.setattr("ltnas.data.decode.PART", 15)
    items = [
        EncodedImage(str(number), lambda number=number: io.BytesIO(encoded(picture(number))))
        for number in range(40)
    ]
    expected = torch.stack([as_tensor(picture(number)) for number in range(40)])
    pieces = list(decode(items, None, "error"))
    assert [len(piece.images) for piece in pieces] == [15, 15, 10]
    assert torch.equal(torch.cat([piece.images for piece in pieces]), expected)


@pytest.mark.parametrize("source", ["folder", "cifar10", "cifar10_parquet"])
def test_a_home_folder_that_is_not_there(source):
    with pytest.raises(UserError, match=r"^data.root=~nobody-here: the home folder of"):
        load_source(Data(source, "~nobody-here"))
