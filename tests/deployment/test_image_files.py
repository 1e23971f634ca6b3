"""Image files by the names that users type."""

import pytest

from ltnas.deployment.image_files import image_files
from ltnas.errors import UserError


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Folder of images, subfolders, and what operating systems and notebooks leave in them."""
    monkeypatch.chdir(tmp_path)
    for name in (
        *("photos/b.PNG", "photos/a (1).jpg", "photos/deep/er/c.webp", "photos/notes.txt"),
        *("photos/._b.PNG", "photos/.ipynb_checkpoints/b.png", "photos/__MACOSX/b.png"),
        *("photos/folder.png/d.png", "single.data"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


IN_FOLDER = [
    *("photos/a (1).jpg", "photos/b.PNG", "photos/deep/er/c.webp", "photos/folder.png/d.png"),
]


def test_folders_are_searched_for_images_alone(photos):
    assert image_files(["photos"]) == IN_FOLDER
    assert image_files([str(photos / "photos")]) == [str(photos / name) for name in IN_FOLDER]


def test_files_are_taken_as_they_are_named_and_once(photos):
    assert image_files(["single.data", "photos/b.PNG", "photos"]) == [
        *("single.data", "photos/b.PNG", "photos/a (1).jpg"),
        *("photos/deep/er/c.webp", "photos/folder.png/d.png"),
    ]


def test_patterns(photos):
    assert image_files(["photos/*.jpg"]) == ["photos/a (1).jpg"]
    assert image_files(["photos/d*"]) == ["photos/deep/er/c.webp"]
    # A file whose name looks like a pattern is a file.
    (photos / "x[1].png").touch()
    assert image_files(["x[1].png"]) == ["x[1].png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "images=nothing does not exist: give files"),
        ("nothing*.png", r"images=nothing\*.png fits no file"),
        ("empty", "images=empty holds no image"),
        ("~nobody_of_this_name/x", "home folder of ~nobody_of_this_name is not known"),
    ],
)
def test_names_without_images(photos, name, message):
    with pytest.raises(UserError, match=message):
        image_files(["photos", name])
