"""Files of the data sets of torchvision, by the attributes that its classes have."""

from types import SimpleNamespace

import pytest

from ltnas.data.sources.torchvision_files import files_of

NAMES = ("own/raw/a.bin", "own/b.bin", "other/c.bin", "d.mat", "e.mat")


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def of(root, names):
    return [root / name for name in names]


@pytest.mark.parametrize("attribute", ["_samples", "samples", "imgs"])
def test_images_with_their_labels(root, attribute):
    pairs = [(str(root / "own" / "b.bin"), 1), (str(root / "other" / "c.bin"), 0)]
    part = SimpleNamespace(**{attribute: pairs, "_base_folder": root})
    assert files_of(part, root) == of(root, ["own/b.bin", "other/c.bin"])


@pytest.mark.parametrize("attribute", ["_image_files", "_images"])
def test_images_without_their_labels(root, attribute):
    part = SimpleNamespace(**{attribute: [root / "own" / "b.bin"]})
    assert files_of(part, root) == of(root, ["own/b.bin"])


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ({"_base_folder": "own"}, ["own/b.bin", "own/raw/a.bin"]),
        ({"base_folder": "own"}, ["own/b.bin", "own/raw/a.bin"]),
        ({"raw_folder": "own/raw"}, ["own/raw/a.bin"]),
        ({"filename": "d.mat"}, ["d.mat"]),
        ({"_samples": [("gone.png", 0)], "base_folder": "other"}, ["other/c.bin"]),
        ({}, ["d.mat", "e.mat"]),
    ],
)
def test_archives_are_those_of_the_data_set(root, attributes, names):
    """Folders beside belong to other data sets, which the same root may hold."""
    assert files_of(SimpleNamespace(root=str(root), **attributes), root) == of(root, names)


def test_a_root_of_its_own_is_searched_at_any_depth(root):
    """Caltech101 adds a folder of its own to the folder that it is given."""
    part = SimpleNamespace(root=str(root / "own"))
    assert files_of(part, root) == of(root, ["own/b.bin", "own/raw/a.bin"])
