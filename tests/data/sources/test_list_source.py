"""Lists of images: which lists are read, what they give, and the message for each mistake."""

import json

import pytest
import torch
from pictures import as_tensor, picture, write

from ltnas.data.sources.rows import Row, text_rows


@pytest.fixture
def images(tmp_path):
    """Twelve images `images/a/0.png`, ..., of which image n is `picture(n)`."""
    for number in range(12):
        write(tmp_path / "images" / "a" / f"{number}.png", picture(number))
    return tmp_path


def lines(*numbers, label=lambda number: number % 2):
    return "".join(f"images/a/{number}.png {label(number)}\n" for number in numbers)


def pixels(*numbers):
    return torch.stack([as_tensor(picture(number)) for number in numbers])


# --- lines of a path and a label ------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [("X_LT_train", "X_LT_val", "X_LT_test"), ("train", "val", "test")]
)
def test_lists_are_found_by_their_names(images, load_data, names):
    for name, numbers in zip(names, ((0, 1, 2, 3), (4, 5), (7, 6)), strict=True):
        (images / f"{name}.txt").write_text(lines(*numbers))
    (images / "readme.txt").write_text("not a list\n")
    source = load_data("list", images)
    assert source.classes == ("0", "1")
    assert torch.equal(source.train.images, pixels(0, 1, 2, 3))
    assert torch.equal(source.validation.images, pixels(4, 5))
    assert torch.equal(source.test.images, pixels(7, 6))
    assert source.test.labels.tolist() == [1, 0]
    assert source.notes[0] == (
        f"train images from {names[0]}.txt, validation images from {names[1]}.txt, "
        f"test images from {names[2]}.txt"
    )


def test_lists_and_the_folder_of_images_are_given(images, load_data):
    (images / "lists").mkdir()
    (images / "lists" / "first.txt").write_text("a/0.png x\na/1.png y\n\n# a comment\na/2.png x\n")
    (images / "lists" / "second.txt").write_text("/a/3.png y\n")
    folder = images / "lists"
    keys = {"train": str(folder / "first.txt"), "test": str(folder / "second.txt")}
    source = load_data("list", images=str(images / "images"), **keys)
    assert source.classes == ("x", "y")
    assert torch.equal(source.train.images, pixels(0, 1, 2))
    assert torch.equal(source.test.images, pixels(3))
    inside = {"train": "lists/first.txt", "test": "lists/second.txt", "images": "images"}
    again = load_data("list", images, **inside)
    assert torch.equal(again.train.images, source.train.images)


def test_one_list_gives_its_test_images(images, load_data):
    (images / "all.txt").write_text(lines(*range(12)))
    splits = [load_data("list", images, split_seed=seed) for seed in (0, 0, 1)]
    assert [len(source.train) for source in splits] == [10, 10, 10]
    assert sorted(splits[0].test.labels.tolist()) == [0, 1]
    assert torch.equal(splits[0].test.images, splits[1].test.images)
    assert not torch.equal(splits[0].test.images, splits[2].test.images)


def test_numbers_of_classes_are_in_the_order_of_their_values(images, load_data):
    (images / "train.txt").write_text(
        lines(*range(12), label=lambda number: (2, 10, 100)[number % 3])
    )
    source = load_data("list", images)
    assert source.classes == ("2", "10", "100")


def test_paths_with_spaces_and_commas(images, load_data):
    for number in range(4):
        write(images / "images" / f"my photo {number}.png", picture(number))
    text = "".join(f"images/my photo {number}.png {number % 2}\n" for number in range(4))
    (images / "train.txt").write_text(text)
    assert len(load_data("list", images).train) == 2
    (images / "train.txt").write_text("".join(f"images/a/{n}.png,{n % 2}\n" for n in range(4)))
    assert len(load_data("list", images).train) == 2


@pytest.mark.parametrize("between", [" ", ",", ", ", " , ", "\t"])
def test_names_and_labels_do_not_contain_what_is_between_them(tmp_path, between):
    (tmp_path / "a.txt").write_text(f"a/0.png{between}cat\n")
    assert text_rows(tmp_path / "a.txt").rows == [Row("a/0.png", "cat")]


def test_a_line_without_a_label(images, data_error):
    (images / "train.txt").write_text("images/a/0.png 1\nimages/a/1.png\n")
    message = data_error("list", images)
    assert f"line 2 of {images / 'train.txt'} is 'images/a/1.png': it must be" in message


def test_missing_images_are_named_or_skipped(images, load_data, data_error):
    (images / "train.txt").write_text(lines(0, 1, 2, 3, 20, 21, 22, 23))
    message = data_error("list", images)
    assert message.startswith(f"4 images of {images / 'train.txt'}")
    assert f"not below {images}: images/a/20.png, images/a/21.png, images/a/22.png, ..." in message
    assert "data.images=FOLDER, or leave them out with data.broken=skip" in message
    source = load_data("list", images, broken="skip")
    assert len(source.train) + len(source.test) == 4
    assert [name.split("/")[-1] for name in source.skipped] == [f"2{n}.png" for n in range(4)]


def test_a_missing_image_is_not_replaced_by_that_of_another_class(images, data_error):
    """`a/1.png` is there, and `b/1.png` is not."""
    (images / "train.txt").write_text("a/0.png 0\na/1.png 0\nb/1.png 1\n")
    message = data_error("list", images, images="images")
    assert message.startswith(f"1 images of {images / 'train.txt'}")
    assert f"not below {images / 'images'}: b/1.png;" in message


def test_an_image_in_the_lists_of_two_splits(images, data_error):
    (images / "train.txt").write_text(lines(0, 1, 2, 3))
    (images / "val.txt").write_text(lines(4, 5))
    (images / "test.txt").write_text(lines(6, 2))
    message = data_error("list", images)
    assert message.startswith(
        "1 of the 2 test images are also among the training images, the first"
    )
    assert "is images/a/2.png" in message
    (images / "test.txt").write_text("images/a/2.png 1\n")
    assert "image images/a/2.png has the labels 0 and 1" in data_error("list", images)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ((), "has no .txt, .csv, .tsv or .json for train"),
        (("train.txt", "train.csv"), "has train.csv, train.txt for train: say which one is meant"),
        (("a.txt", "b.txt"), "has a.txt, b.txt for train: say which one is meant"),
        (("test.txt",), "has no list of training images"),
    ],
)
def test_lists_that_cannot_be_told(tmp_path, data_error, files, words):
    for name in files:
        (tmp_path / name).write_text("x.png 1\n")
    message = data_error("list", tmp_path)
    assert f"data.root={tmp_path} {words}" in message
    assert "data.train=FILE" in message


def test_lists_that_are_not_there(tmp_path, data_error):
    assert "is not a folder: set the one with the lists" in data_error("list", tmp_path / "none")
    (tmp_path / "images").mkdir()
    message = data_error("list", train=str(tmp_path / "none.txt"))
    assert f"list {tmp_path / 'none.txt'} cannot be read (No such file" in message
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00")
    assert "give a text file" in data_error("list", tmp_path)
    (tmp_path / "train.txt").write_text("a.png 1\n")
    message = data_error("list", tmp_path, images="nowhere")
    assert "nowhere is not a folder: set data.images" in message


# --- tables ---------------------------------------------------------------------------------------


def table(path, header, rows, delimiter=","):
    path.write_text("".join(delimiter.join(map(str, row)) + "\n" for row in (header, *rows)))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_of_names_and_labels(images, load_data, delimiter):
    rows = [(f"images/a/{n}.png", "cat" if n % 2 else "newt") for n in range(12)]
    table(images / "metadata.csv", ("file_name", "label"), rows, delimiter)
    source = load_data("list", images)
    assert source.classes == ("cat", "newt")
    assert (len(source.train), len(source.test)) == (10, 2)
    found = torch.cat([source.train.images, source.test.images])
    labels = torch.cat([source.train.labels, source.test.labels]).tolist()
    number_of = {as_tensor(picture(n)).numpy().tobytes(): n for n in range(12)}
    numbers = [number_of[image.tobytes()] for image in found.numpy()]
    assert sorted(numbers) == list(range(12))
    assert labels == [1 - n % 2 for n in numbers]


def test_a_table_without_names_of_columns(images, load_data):
    rows = [(f"images/a/{n}.png", n % 2) for n in range(4)]
    table(images / "all.csv", *[rows[0]], rows[1:])
    source = load_data("list", images)
    assert len(source.train) + len(source.test) == 4


def test_the_name_of_an_image_needs_no_ending_and_no_folder(images, load_data):
    rows = [(n, "yes" if n % 3 else "no") for n in range(12)]
    table(images / "train.csv", ("id_code", "diagnosis"), rows)
    source = load_data("list", images)
    assert source.classes == ("no", "yes")
    assert len(source.train) + len(source.test) == 12


def test_a_column_of_splits_is_kept_to(images, load_data):
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
    rows = [(n % 2, f"a/{n}", split) for n, split in enumerate(splits)]
    table(images / "all.csv", ("y", "image", "Split"), rows)
    source = load_data("list", images, images="images")
    assert torch.equal(source.train.images, pixels(*range(6)))
    assert torch.equal(source.validation.images, pixels(6, 7))
    assert torch.equal(source.test.images, pixels(8, 9, 10, 11))
    assert source.test.labels.tolist() == [0, 1, 0, 1]


def test_one_column_a_class(images, load_data):
    rows = [(str(n), *[float(n % 3 == c) for c in range(3)], 0.0) for n in range(12)]
    table(images / "truth.csv", ("image", "MEL", "NV", "BCC", "UNK"), rows)
    source = load_data("list", images)
    assert source.classes == ("BCC", "MEL", "NV")
    assert torch.cat([source.train.labels, source.test.labels]).bincount().tolist() == [4, 4, 4]
    assert source.notes == ("columns without an image are no classes: UNK",)
    image = source.test.images[0]
    (number,) = (n for n in range(12) if torch.equal(image, as_tensor(picture(n))))
    assert source.classes[source.test.labels[0]] == ("MEL", "NV", "BCC")[number % 3]


def test_several_classes_of_an_image(images, data_error):
    table(images / "truth.csv", ("image", "A", "B"), [("0", 1, 1), ("1", 0, 1)])
    message = data_error("list", images)
    assert "gives 0 2 of the classes A, B: an image must have one" in message


def test_a_column_of_labels_among_others(images, load_data, data_error):
    rows = [(n, 20 + n, "fm"[n % 2], "nv" if n % 4 else "mel") for n in range(12)]
    table(images / "x.csv", ("image_id", "age", "sex", "dx"), rows)
    message = data_error("list", images)
    assert "has the columns age, sex, dx: it cannot be told which one has the labels" in message
    assert "data.label=COLUMN" in message
    assert load_data("list", images, label="dx").classes == ("mel", "nv")
    assert load_data("list", images, label="sex").classes == ("f", "m")
    message = data_error("list", images, label="colour")
    assert "has no column colour (data.label)" in message
    assert "choose one of age, sex, dx" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty: it needs a line for each image"),
        ("image,label\n", "has no rows"),
        ("image,label\n0,1,2\n", "row 2 of {} has 3 columns, the first row 2"),
        ("image,label\nx,yes\n", "no column of {} (image, label) names an image below"),
        ("image,label,split\n0,1,later\n", "column split of {} has the value 'later'"),
        ("image\n0\n", "has the columns of names alone"),
    ],
)
def test_tables_that_cannot_be_read(images, data_error, text, words):
    (images / "all.csv").write_text(text)
    assert words.format(images / "all.csv") in data_error("list", images)


def test_labels_that_are_names_of_several_files(images, load_data):
    """Label 3 is also the name of two files, which only a column of names may not be."""
    write(images / "images" / "b" / "3.png", picture(30))
    rows = [(f"images/a/{n}.png", 3 + n % 2) for n in range(12)]
    table(images / "all.csv", ("image", "label"), rows)
    assert load_data("list", images).classes == ("3", "4")


def test_two_images_of_one_name(images, data_error):
    write(images / "images" / "b" / "3.png", picture(30))
    table(images / "all.csv", ("image", "label"), [("2", 0), ("3", 1)])
    message = data_error("list", images)
    assert "3 may be" in message
    assert "set data.images to the folder of one" in message


# --- JSON of COCO ---------------------------------------------------------------------------------


def coco(numbers, categories=((30, "moss"), (7, "fern"))):
    return {
        "images": [{"id": 100 + n, "file_name": f"images/a/{n}.png"} for n in numbers],
        "annotations": [
            {"id": n, "image_id": 100 + n, "category_id": categories[n % 2][0]} for n in numbers
        ],
        "categories": [{"id": key, "name": name} for key, name in categories],
    }


def save(path, content):
    path.write_text(json.dumps(content))


def test_categories_and_annotations(images, load_data):
    save(images / "train2018.json", coco(range(6)))
    save(images / "val2018.json", coco((7, 8)))
    save(images / "categories.json", [{"id": 7, "name": "fern"}])
    source = load_data("list", images)
    assert source.classes == ("fern", "moss")  # in the order of the ids 7 and 30
    assert torch.equal(source.train.images, pixels(*range(6)))
    assert source.train.labels.tolist() == [1, 0] * 3
    assert torch.equal(source.test.images, pixels(7, 8))
    assert source.test.labels.tolist() == [0, 1]
    assert "validation split serve" in source.notes[-1]


def test_test_images_without_annotations_are_left_out(images, load_data):
    save(images / "train.json", coco(range(6)))
    save(images / "test.json", {"images": coco((7, 8))["images"]})
    source = load_data("list", images)
    assert len(source.test) == 2  # held out of the six
    assert "test.json has no labels and was left out" in source.notes


def test_categories_of_one_name_are_told_apart(images, load_data):
    save(images / "train.json", coco(range(6), ((1, "moss"), (2, "moss"))))
    assert load_data("list", images).classes == ("moss (1)", "moss (2)")


def test_several_categories_of_an_image(images, data_error):
    content = coco(range(4))
    content["annotations"] += [{"image_id": 101, "category_id": 30}]
    save(images / "train.json", content)
    message = data_error("list", images)
    assert "gives images/a/1.png 2 categories: an image must have one" in message


@pytest.mark.parametrize("content", ["[]", "{", '{"images": [{"id": 1}]}', '{"images": 3}'])
def test_json_of_another_kind(images, data_error, content):
    (images / "train.json").write_text(content)
    message = data_error("list", images)
    assert f"list {images / 'train.json'} cannot be read" in message
    assert "it needs images, annotations and categories" in message
