"""Image files by the names that lists give them."""

import pytest

from ltnas.data.sources.image_files import ImageFiles
from ltnas.errors import UserError


@pytest.fixture
def images(tmp_path):
    for name in ("a/x.jpg", "a/b/y.v2.png", "z.JPEG", "notes.txt", "a/._x.jpg", "two/w.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "w.png").touch()
    return ImageFiles(tmp_path)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *(("a/x.jpg", "a/x.jpg"), ("/a/x.jpg", "a/x.jpg"), ("x.jpg", "a/x.jpg"), ("x", "a/x.jpg")),
        *(("data/a/x.jpg", "a/x.jpg"), ("x.png", "a/x.jpg"), ("y.v2", "a/b/y.v2.png")),
        *(("elsewhere/x.jpg", None), ("a/elsewhere/x.jpg", None), ("/data/b/y.v2", "a/b/y.v2.png")),
        *(("z", "z.JPEG"), ("w.png", "w.png"), ("two/w.png", "two/w.png")),
        *((name, None) for name in ("notes.txt", "a", "", "q.png", "._x.jpg")),
    ],
)
def test_names_without_ending_or_folder_are_found(images, name, found):
    assert images.find(name) == (found and images.folder / found)


def test_absolute_names_are_taken_as_they_are(images, tmp_path):
    assert ImageFiles(tmp_path / "a").find(str(tmp_path / "z.JPEG")) == tmp_path / "z.JPEG"


def test_a_name_of_two_files_is_refused(images):
    with pytest.raises(UserError, match=r"^w may be .* set data.images to the folder of one"):
        images.find("w")


def test_of_two_files_the_one_whose_folders_agree_is_taken(images, tmp_path):
    for name in ("one/cat/1.png", "two/cat/1.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert images.find("data/two/cat/1.png") == tmp_path / "two" / "cat" / "1.png"
    with pytest.raises(UserError, match=r"^data/cat/1.png may be "):
        images.find("data/cat/1.png")
