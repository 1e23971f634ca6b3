"""Data sets that torchvision downloads, with its classes replaced by small ones."""

import inspect
import tarfile
import urllib.error
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision.datasets
from conftest import REPOSITORY
from pictures import as_tensor, picture
from PIL import Image

from ltnas.config import Imbalance
from ltnas.config.sources import SOURCES
from ltnas.data.sources.torchvision_sets import SETS, list_torchvision
from ltnas.data.subset import class_counts, wanted_counts

LABELS = (1, 0, 1, 0, 1, 0)


class Small:
    """Data set of six images whose numbers depend on the split that the arguments name."""

    classes = ("ant", "bee")
    keeps = "targets"

    def __init__(self, root, download, **arguments):
        assert download
        self.calls.append((root, arguments))
        self.first = 10 * len(self.calls)
        labels = list(LABELS)
        kept = {
            "targets": labels,
            "labels": np.array(labels),
            "_labels": labels,
            "y": torch.tensor(labels),
            "_samples": [(f"{number}.png", label) for number, label in enumerate(labels)],
            "nothing": None,
        }
        setattr(self, self.keeps, kept[self.keeps])

    def __len__(self):
        return len(LABELS)

    def __getitem__(self, position):
        return Image.fromarray(picture(self.first + position)), LABELS[position]


@pytest.fixture
def small(monkeypatch):
    """Function that replaces a class of torchvision, and returns the calls."""

    def _small(name, **attributes):
        made = type(name, (Small,), {"calls": [], **attributes})
        monkeypatch.setattr(torchvision.datasets, name, made)
        return made.calls

    return _small


@pytest.mark.parametrize("keeps", ["targets", "labels", "_labels", "y", "_samples", "nothing"])
def test_images_labels_and_names(small, load_data, tmp_path, keeps):
    calls = small("SVHN", keeps=keeps)
    source = load_data("torchvision", tmp_path / "here", name="SVHN")
    assert calls == [(str(tmp_path / "here"), {"split": split}) for split in ("train", "test")]
    assert source.classes == ("ant", "bee")
    for part, first in ((source.train, 10), (source.test, 20)):
        assert part.labels.tolist() == list(LABELS)
        expected = torch.stack([as_tensor(picture(first + number)) for number in range(6)])
        assert torch.equal(part.images, expected)


def test_files_lie_in_the_cache_folder_by_default(small, load_data, tmp_path):
    calls = small("MNIST")
    load_data("torchvision", name="MNIST")
    assert calls[0] == (str(tmp_path / "cache" / "torchvision"), {"train": True})


def test_sets_of_the_same_labels_are_kept_apart(small, load_data):
    for name in ("MNIST", "KMNIST"):
        small(name)
        load_data("torchvision", name=name)
    small("KMNIST", first=0)
    again = load_data("torchvision", name="MNIST")
    assert torch.equal(again.train.images[0], as_tensor(picture(10)))


def test_validation_images_are_a_split_of_their_own(small, load_data):
    calls = small("Flowers102")
    source = load_data("torchvision", name="Flowers102")
    assert [arguments["split"] for _, arguments in calls] == ["train", "val", "test"]
    assert len(source.validation) == 6


def test_a_set_without_a_split_holds_images_out(small, load_data):
    small("EuroSAT")
    source = load_data("torchvision", name="EuroSAT")
    assert (len(source.train), len(source.test)) == (4, 2)


def test_classes_without_names_have_numbers(small, load_data):
    small("GTSRB", classes=None)
    assert load_data("torchvision", name="GTSRB").classes == ("0", "1")


def test_classes_may_be_called_categories(small, load_data, monkeypatch):
    small("Caltech101", categories=["ant", "bee"])
    monkeypatch.delattr(Small, "classes")
    assert load_data("torchvision", name="Caltech101").classes == ("ant", "bee")


class Targets(dict):
    """File of HDF5 that has the labels of PCAM, [N, 1, 1, 1]."""

    def __init__(self, path):
        assert str(path) == "pcam/y.h5"
        super().__init__(y=np.array(LABELS).reshape(-1, 1, 1, 1))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def test_labels_of_pcam_are_read_without_its_images(small, tmp_path):
    """Its class keeps no labels, and returns each one together with the decoded image."""
    attributes = {
        "keeps": "nothing",
        "h5py": SimpleNamespace(File=Targets),
        "_base_folder": Path("pcam"),
        "_split": "train",
        "_FILES": {"train": {"targets": ("y.h5",)}},
        "__getitem__": lambda self, position: pytest.fail("an image was decoded"),
    }
    small("PCAM", **attributes)
    listing = list_torchvision("PCAM", tmp_path)
    assert [list(part.labels) for part in listing.splits.values()] == [list(LABELS)] * 3


def test_a_damaged_file_of_labels_of_pcam(small, data_error):
    def fail(path):
        raise OSError("truncated")

    names = {"_base_folder": Path("pcam"), "_split": "train"}
    files = {"_FILES": {"train": {"targets": ("y.h5",)}}}
    small("PCAM", keeps="nothing", h5py=SimpleNamespace(File=fail), **names, **files)
    message = data_error("torchvision", name="PCAM")
    assert "y.h5 cannot be read (truncated): delete it to download it again" in message


def test_images_are_decoded_again_where_their_files_have_changed(small, load_data, tmp_path):
    (tmp_path / "images").write_text("first")
    small("MNIST", filename="images")
    pixels = [load_data("torchvision", tmp_path, name="MNIST").train.images[0] for _ in range(2)]
    assert torch.equal(*pixels)
    (tmp_path / "images").write_text("other images")
    again = load_data("torchvision", tmp_path, name="MNIST").train.images[0]
    assert not torch.equal(again, pixels[0])


def test_an_unknown_name(data_error):
    message = data_error("torchvision", name="cifar-100")
    assert "data.name=cifar-100 is not known: did you mean data.name=CIFAR100? choose" in message
    assert "DTD" in message
    assert "did you mean" not in data_error("torchvision", name="zzzz")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (urllib.error.URLError("no network"), "cannot be downloaded (no network): copy its files"),
        (RuntimeError("Dataset not found or corrupted."), "delete its files to download them"),
        (OSError(), "cannot be read (OSError): delete"),
        (zipfile.BadZipFile("no zip file"), "cannot be read (no zip file): delete its files"),
        (tarfile.ReadError("no tar file"), "cannot be read (no tar file): delete its files"),
        (zlib.error("bad data"), "cannot be read (bad data): delete its files"),
        (ModuleNotFoundError("h5py is not found"), "needs a package that is not there: h5py"),
    ],
)
def test_a_download_that_fails(small, data_error, error, words):
    def fail(self, *args, **arguments):
        raise error

    small("PCAM", __init__=fail)
    message = data_error("torchvision", name="PCAM")
    assert message.startswith("PCAM ")
    assert words in message


@pytest.mark.parametrize("name", SETS)
def test_the_classes_of_torchvision_have_these_arguments(name):
    made = getattr(torchvision.datasets, name)
    classes = [kind for kind in made.__mro__ if "__init__" in vars(kind)]
    known = {key for kind in classes for key in inspect.signature(kind.__init__).parameters}
    assert {"root", "download"} <= known
    for arguments in SETS[name].values():
        assert set(arguments) <= known


def test_cifar100_is_a_name_of_its_own(small, load_data):
    calls = small("CIFAR100")
    assert load_data("cifar100").classes == ("ant", "bee")
    assert [arguments for _, arguments in calls] == [{"train": True}, {"train": False}]


@pytest.mark.parametrize(("factor", "total"), [(0.1, 19573), (0.02, 12608), (0.01, 10847)])
def test_long_tailed_cifar100_has_the_published_numbers_of_images(factor, total):
    """500 * factor ** (i / 99), rounded down (Cao et al. 2019, class IMBALANCECIFAR100)."""
    wanted = wanted_counts(Imbalance("exp", factor), 50000, 100)
    assert wanted == [int(500 * factor ** (i / 99)) for i in range(100)]
    labels = np.repeat(np.arange(100), 500)
    counts = class_counts(wanted, labels, 100)
    assert (counts[0], counts[-1]) == (500, round(500 * factor))
    assert sum(counts) == total


def test_every_source_has_a_choice():
    assert {path.stem for path in (REPOSITORY / "conf" / "data").glob("*.yaml")} == set(SOURCES)
