"""Files that lists name more than once: what is refused, and what is not."""

import pytest

from ltnas.data.sources.repeated import check_repeated
from ltnas.data.sources.rows import Row
from ltnas.errors import UserError


@pytest.fixture
def named(tmp_path):
    """Function that returns files of the folder `tmp_path/a` with their rows, from `name label`."""
    folder = tmp_path / "a"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.png").touch()

    def _named(*rows, folder=folder):
        pairs = [row.split() for row in rows]
        return [
            (folder / name.lstrip("/").split("/")[-1], Row(name, label)) for name, label in pairs
        ]

    return _named


def test_different_files_and_repetitions_in_one_split_are_allowed(named):
    train = named("0.png x", "1.png y", "0.png x", "/0.png x", "./1.png y")
    assert check_repeated({"train": train, "test": named("2.png x", "2.png x")}) is None


def test_a_file_with_two_labels(named):
    with pytest.raises(UserError, match=r"^image 0\.png has the labels x and y in the lists"):
        check_repeated({"train": named("0.png x", "1.png y", "0.png y")})


def test_two_names_of_one_file(named, tmp_path):
    with pytest.raises(UserError) as error:
        check_repeated({"train": named("0.png x", "b/0.png x")})
    assert str(error.value).startswith(f"0.png and b/0.png in the lists are both {tmp_path}")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_images_that_are_trained_on_are_no_others(named, split):
    splits = {"train": named("0.png x", "1.png y", "2.png y"), split: []}
    splits[split] = named("3.png x", "2.png y", "0.png x")
    with pytest.raises(UserError) as error:
        check_repeated(splits)
    assert str(error.value) == (
        f"2 of the 3 {split} images are also among the training images, the first is 2.png: name "
        "each image in one list"
    )


def test_links_to_folders_and_to_files_are_followed(named, tmp_path):
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "1.png").symlink_to(tmp_path / "a" / "1.png")
    train = named("0.png x", "1.png y")
    for name, folder in (("0.png x", "b"), ("1.png y", "c")):
        with pytest.raises(UserError, match=r"^1 of the 1 test images"):
            check_repeated({"train": train, "test": named(name, folder=tmp_path / folder)})
