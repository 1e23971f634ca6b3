"""Parquet files: what is read, and the message for each kind of mistake."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from pictures import as_tensor, encoded, fake_cifar10, picture


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


def test_parquet_gives_pixels_and_labels_in_the_order_of_the_files(parquet, load_data):
    source = load_data("cifar10_parquet", parquet)
    expected = torch.stack([as_tensor(picture(number)) for number in range(9)])
    assert torch.equal(torch.cat([source.train.images, source.test.images]), expected)
    assert source.train.labels.tolist() == [2, 0, 1, 0, 1, 2]
    assert source.test.labels.tolist() == [0, 1, 2]
    assert source.train.labels.dtype == torch.int64
    assert source.classes == ("0", "1", "2")  # three classes are not those of CIFAR-10


def test_parquet_may_call_the_column_image(parquet, load_data):
    for path in sorted(parquet.iterdir()):
        read = pq.read_table(path)
        pq.write_table(read.rename_columns(["image", "label"]), path)
    assert load_data("cifar10_parquet", parquet).train.labels.tolist() == [2, 0, 1, 0, 1, 2]


def test_parquet_images_are_scaled(parquet, load_data):
    assert load_data("cifar10_parquet", parquet, image_size=5).train.images.shape == (6, 3, 5, 5)


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


def test_parquet_class_names_are_those_of_the_hub(parquet, named, load_data):
    named("ape", "bee", "cow")
    assert load_data("cifar10_parquet", parquet).classes == ("ape", "bee", "cow")


@pytest.mark.parametrize(
    ("names", "missing"), [(("ape", "bee", "cow", "dog"), "dog"), (("x", "y", "z", *"abc"), "a")]
)
def test_last_classes_of_a_schema_without_images_are_missed_by_name(
    parquet, named, data_error, names, missing
):
    named(*names)
    message = data_error("cifar10_parquet", parquet)
    assert f"data=cifar10_parquet has no training image of class {missing}: add one" in message


def test_a_parquet_label_beyond_the_names_of_the_schema(parquet, named, data_error):
    named("ape", "bee")
    message = data_error("cifar10_parquet", parquet)
    assert f"{parquet / 'train-00000-of-00002.parquet'} names 2 classes" in message
    assert "labels up to 2" in message
    assert "correct the labels" in message


def test_parquet_files_with_different_class_names(parquet, named, data_error):
    named("ape", "bee", "cow")
    named("bee", "ape", "cow", file="train-00001-of-00002.parquet", labels=(1, 2, 1, 2))
    message = data_error("cifar10_parquet", parquet)
    assert "train-00000-of-00002.parquet" in message
    assert "train-00001-of-00002.parquet have different class names" in message


@pytest.mark.parametrize("source", ["cifar10_parquet", "cifar10"])
def test_two_classes_of_one_name(parquet, named, data_error, monkeypatch, source):
    named("ape", "bee", "ape")
    calls = fake_cifar10(monkeypatch, names=("ape", "bee", "ape", *"defghij"))
    message = data_error(source, parquet)
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
def test_a_parquet_file_that_is_missing_is_named(tmp_path, data_error, load_data, lacks, words):
    names = [
        *(f"train-0000{i}-of-00003" for i in range(3)),
        *(f"test-0000{i}-of-00002" for i in (0, 1)),
    ]
    for name in names:
        pq.write_table(table(range(2), [0, 1]), tmp_path / f"{name}.parquet")
    assert len(load_data("cifar10_parquet", tmp_path).train.labels) == 6
    for name in lacks:
        (tmp_path / f"{name}.parquet").unlink()
    assert data_error("cifar10_parquet", tmp_path) == f"{tmp_path} {words}"


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("train-00002-of-00003", "train-00000-of-00002.parquet and train-00002-of-00003.parquet"),
        ("train-00001-of-00002-1f", "two files of one number: remove one of them"),
        ("train-00002-of-00002", "files are numbered from 0 to 1: remove or rename it"),
    ],
)
def test_parquet_files_whose_numbers_contradict_each_other(parquet, data_error, added, words):
    pq.write_table(table(range(2), [0, 1]), parquet / f"{added}.parquet")
    message = data_error("cifar10_parquet", parquet)
    assert message.startswith(f"{parquet} has ")
    assert f"{added}.parquet" in message
    assert words in message


def test_parquet_files_are_numbered_within_their_own_name(parquet, load_data):
    for number in range(3):
        name = f"train-more-0000{number}-of-00003-9e3f.parquet"
        pq.write_table(table(range(2), [0, 1]), parquet / name)
    assert len(load_data("cifar10_parquet", parquet).train.labels) == 12


def test_a_missing_parquet_file_with_a_checksum_in_its_name(parquet, data_error):
    pq.write_table(table(range(2), [0, 1]), parquet / "train-more-0-of-2-9e3f.parquet")
    assert "has no train-more-1-of-2-*.parquet: download it" in data_error(
        "cifar10_parquet", parquet
    )


def test_ten_unnamed_parquet_classes_are_those_of_cifar10(tmp_path, load_data):
    for part in ("train", "test"):
        pq.write_table(table(range(10), range(10)), tmp_path / f"{part}-0.parquet")
    classes = load_data("cifar10_parquet", tmp_path).classes
    assert classes[:3] == ("airplane", "automobile", "bird")
    assert classes[9] == "truck"
    assert len(set(classes)) == 10


def test_a_parquet_folder_that_is_not_there(tmp_path, data_error):
    message = data_error("cifar10_parquet", tmp_path / "nowhere")
    assert f"data.root={tmp_path / 'nowhere'} is not a folder" in message
    assert "set the one with train-*.parquet" in message


def test_no_parquet_files_for_training(parquet, data_error):
    for path in parquet.glob("train-*"):
        path.unlink()
    message = data_error("cifar10_parquet", parquet)
    assert f"data.root={parquet} has no train-*.parquet: set the folder that has it" in message


def test_without_test_files_a_part_of_each_class_is_held_out(parquet, load_data):
    (parquet / "test-00000-of-00001.parquet").unlink()
    source = load_data("parquet", parquet)
    assert sorted(source.test.labels.tolist()) == [0, 1, 2]
    assert len(source.train) == 3


@pytest.mark.parametrize("left", [0, 50, 400])
def test_a_truncated_parquet_file(parquet, data_error, left):
    path = parquet / "train-00001-of-00002.parquet"
    path.write_bytes(path.read_bytes()[:left])
    message = data_error("cifar10_parquet", parquet)
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
def test_parquet_with_other_columns(parquet, data_error, columns):
    path = parquet / "test-00000-of-00001.parquet"
    pq.write_table(pa.table(columns), path)
    message = data_error("cifar10_parquet", parquet)
    assert message.startswith(f"{path} has the columns ")
    assert all(name in message for name in columns)
    assert "it needs those of the training images, img (a struct with the bytes" in message
    assert "and label (int64)" in message


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"img": IMAGE_BYTES, "label": pa.array([1])}, "and one of labels, integers or texts"),
        ({"img": pa.array([{"bytes": b""}]), "label": pa.array([0.5])}, "one of labels, integers"),
    ],
)
def test_training_files_without_images_or_labels(parquet, data_error, columns, words):
    path = parquet / "train-00000-of-00002.parquet"
    pq.write_table(pa.table(columns), path)
    message = data_error("parquet", parquet)
    assert message.startswith(f"{path} has the columns img (")
    assert words in message


# --- other layouts of the hub ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "data/{}-00000-of-00001.parquet",
        "default/{}/0000.parquet",
        "{}.parquet",
        "a/b/cifar_{}.parquet",
    ],
)
@pytest.mark.parametrize("other", ["test", "validation", "val"])
def test_files_at_any_depth(tmp_path, load_data, place, other):
    for name, labels in (("train", [0, 1, 1]), (other, [1, 0])):
        path = tmp_path / "hub" / place.format(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(range(len(labels)), labels, "image"), path)
    source = load_data("parquet", tmp_path / "hub")
    assert source.train.labels.tolist() == [0, 1, 1]
    assert source.test.labels.tolist() == [1, 0]
    assert [("validation split serve" in note) for note in source.notes] == [True] * (
        other != "test"
    )


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_beginning_of_a_split_alone_is_refused(tmp_path, data_error, split):
    """The hub converts the beginning of a split above 5 GB to `partial-SPLIT`."""
    folder = tmp_path / "hub"
    for name in ("train", "test"):
        path = folder / "default" / (f"partial-{name}" if name == split else name) / "0000.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(table(range(2), [0, 1]), path)
    message = data_error("parquet", folder)
    assert message.startswith(
        f"{folder} has only a part of the {split} split (default/partial-{split}/0000.parquet)"
    )
    assert "download the files of the whole data set" in message


def test_the_beginning_of_a_split_beside_the_whole_is_left_out(parquet, load_data):
    (parquet / "default" / "partial-train").mkdir(parents=True)
    pq.write_table(table([9], [1]), parquet / "default" / "partial-train" / "0000.parquet")
    source = load_data("parquet", parquet)
    assert (len(source.train), len(source.test)) == (6, 3)
    assert source.notes == (
        "files of a part of a split beside the whole were left out: partial-train/0000.parquet",
    )


def test_files_whose_names_tell_no_split_are_for_training(tmp_path, load_data):
    pq.write_table(table(range(6), [0, 1] * 3), tmp_path / "0000.parquet")
    source = load_data("parquet", tmp_path)
    assert (source.train.labels.tolist(), source.test.labels.tolist()) == ([0, 1] * 2, [0, 1])


def test_files_of_no_split_beside_others_are_left_out(parquet, load_data):
    pq.write_table(table(range(2), [0, 1]), parquet / "unlabelled.parquet")
    source = load_data("parquet", parquet)
    assert len(source.train) == 6
    assert source.notes == ("files of no split were left out: unlabelled.parquet",)


def test_several_data_sets_in_one_folder(tmp_path, data_error):
    for name in ("full/train", "small/train"):
        path = tmp_path / name / "0000.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(table(range(2), [0, 1]), path)
    message = data_error("parquet", tmp_path)
    assert "has several data sets, full, small: set the folder of one" in message


def two_labels(path, metadata=None, **labels):
    """Write a table of four images with the given columns of labels."""
    made = table(range(4), [0] * 4).drop_columns(["label"])
    for name, values in labels.items():
        made = made.append_column(name, pa.array(values))
    features = {
        name: {"names": names, "_type": "ClassLabel"} for name, names in (metadata or {}).items()
    }
    if metadata:
        made = made.replace_schema_metadata(
            {"huggingface": json.dumps({"info": {"features": features}})}
        )
    pq.write_table(made, path)


FINE, COARSE = [0, 1, 2, 2], [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("metadata", "label", "expected"),
    [
        (None, None, ("0", "1", "2")),
        (None, "coarse_label", ("0", "1")),
        ({"fine_label": ["a", "b", "c"]}, None, ("a", "b", "c")),
        ({"coarse_label": ["x", "y"]}, None, ("x", "y")),
        ({"fine_label": ["a", "b", "c"], "coarse_label": ["x", "y"]}, None, ("a", "b", "c")),
        ({"fine_label": ["a", "b", "c"], "coarse_label": ["x", "y"]}, "coarse_label", ("x", "y")),
    ],
)
def test_one_of_several_columns_of_labels(tmp_path, load_data, metadata, label, expected):
    for split in ("train", "test"):
        path = tmp_path / f"{split}.parquet"
        two_labels(path, metadata, fine_label=FINE, coarse_label=COARSE)
    source = load_data("parquet", tmp_path, label=label)
    assert source.classes == expected
    assert source.train.labels.tolist() == (FINE if len(expected) == 3 else COARSE)
    both_possible = label is None and (metadata is None or len(metadata) == 2)
    assert source.notes == (
        ("labels are those of the column fine_label; others: data.label=coarse_label",)
        if both_possible
        else ()
    )


def test_columns_that_do_not_tell_which_one_has_the_labels(tmp_path, data_error):
    two_labels(tmp_path / "train.parquet", breed=FINE, colour=COARSE)
    message = data_error("parquet", tmp_path)
    assert "breed (int64), colour (int64): it cannot be told which one has the labels" in message
    assert "data.label=breed" in message
    message = data_error("parquet", tmp_path, label="size")
    assert "breed (int64), colour (int64)" in message
    assert "size (data.label)" in message


@pytest.mark.parametrize("dictionary", [False, True])
def test_labels_that_are_texts(tmp_path, load_data, dictionary):
    for split, labels in (("train", ["dog", "ant", "dog"]), ("test", ["ant", "dog"])):
        made = table(range(len(labels)), [0] * len(labels)).drop_columns(["label"])
        values = pa.array(labels)
        made = made.append_column("label", values.dictionary_encode() if dictionary else values)
        pq.write_table(made, tmp_path / f"{split}.parquet")
    source = load_data("parquet", tmp_path)
    assert source.classes == ("ant", "dog")
    assert (source.train.labels.tolist(), source.test.labels.tolist()) == ([1, 0, 1], [0, 1])


def test_labels_need_not_begin_at_zero(tmp_path, load_data):
    pq.write_table(table(range(4), [7, 30, 7, 30]), tmp_path / "train.parquet")
    assert load_data("parquet", tmp_path).classes == ("7", "30")


def test_a_test_split_without_labels_is_left_out(parquet, load_data):
    pq.write_table(table(range(2), [-1, -1]), parquet / "test-00000-of-00001.parquet")
    pq.write_table(table(range(3), [0, 1, 2]), parquet / "validation-00000-of-00001.parquet")
    source = load_data("parquet", parquet)
    assert len(source.test) == 3
    assert source.notes[0] == "the test split has no labels and was left out"
    assert "validation split serve" in source.notes[1]


def test_ten_unnamed_classes_of_any_data_set_have_numbers(tmp_path, load_data):
    for part in ("train", "test"):
        pq.write_table(table(range(10), range(10)), tmp_path / f"{part}-0.parquet")
    assert load_data("parquet", tmp_path).classes == tuple("0123456789")


def save_arrow(folder, labels, split=None, names=("data-00000-of-00001.arrow",)):
    """Write a data set as `save_to_disk` of the library `datasets` does."""
    folder.mkdir(parents=True)
    made = table(range(len(labels)), labels, metadata=of_the_hub(["ape", "bee"]))
    for name in names:
        with (
            pa.OSFile(str(folder / name), "wb") as file,
            pa.ipc.new_stream(file, made.schema) as out,
        ):
            out.write_table(made, max_chunksize=2)
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": names[0]}], "_split": split})
    )


def test_arrow_files_of_saved_splits(tmp_path, load_data):
    save_arrow(tmp_path / "train", [0, 1, 1])
    save_arrow(tmp_path / "test", [1, 0], names=("data-00000-of-00001.arrow", "cache-1f.arrow"))
    source = load_data("parquet", tmp_path)
    assert source.classes == ("ape", "bee")
    assert source.train.labels.tolist() == [0, 1, 1]
    expected = torch.stack([as_tensor(picture(number)) for number in range(3)])
    assert torch.equal(source.train.images, expected)
    assert source.test.labels.tolist() == [1, 0]


def test_arrow_files_of_one_saved_data_set(tmp_path, load_data):
    save_arrow(tmp_path / "saved", [0, 1] * 3, split="train")
    source = load_data("parquet", tmp_path / "saved")
    assert (len(source.train), len(source.test)) == (4, 2)


def test_an_arrow_file_that_is_truncated(tmp_path, data_error):
    save_arrow(tmp_path / "saved", [0, 1])
    (path,) = (tmp_path / "saved").glob("*.arrow")
    path.write_bytes(path.read_bytes()[:100])
    assert f"{path} cannot be read as Arrow" in data_error("parquet", tmp_path / "saved")


@pytest.mark.parametrize("image", [None, {"bytes": None}, {"bytes": b"no image"}])
def test_a_broken_image_in_parquet(parquet, data_error, image):
    path = parquet / "train-00001-of-00002.parquet"
    kind = pa.struct([("bytes", pa.binary())])
    images = pa.array([{"bytes": encoded(picture(0))}, image], kind)
    pq.write_table(pa.table({"img": images, "label": pa.array([0, 1])}), path)
    message = data_error("cifar10_parquet", parquet)
    assert f"image {path} row 1 cannot be read" in message
    assert "replace or remove it" in message


@pytest.mark.parametrize("label", [None, -1])
def test_parquet_without_labels(parquet, data_error, label):
    path = parquet / "test-00000-of-00001.parquet"
    pq.write_table(table(range(2), [0, label]), path)
    message = data_error("cifar10_parquet", parquet)
    assert f"{path} row 1 has the label {label}" in message
    assert "use a file with labels" in message


def test_parquet_without_rows(parquet, data_error):
    path = parquet / "test-00000-of-00001.parquet"
    pq.write_table(table([], []), path)
    message = data_error("cifar10_parquet", parquet)
    assert f"{path} has no rows: download it again" in message


def test_a_parquet_class_without_a_training_image(parquet, data_error):
    pq.write_table(table(range(3), [0, 3, 4]), parquet / "test-00000-of-00001.parquet")
    message = data_error("cifar10_parquet", parquet)
    assert "has no training image of class 3" in message
    assert "add one or remove the class" in message


def test_parquet_of_one_class(tmp_path, data_error):
    for part in ("train", "test"):
        pq.write_table(table(range(3), [0, 0, 0]), tmp_path / f"{part}-0.parquet")
    message = data_error("cifar10_parquet", tmp_path)
    assert "data=cifar10_parquet has only one class (0)" in message
    assert "classification needs at least two" in message
