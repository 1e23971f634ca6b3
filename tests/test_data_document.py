"""The commands of docs/data.md read the layouts that they stand for."""

import json
import re
import shlex

import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torchvision.datasets
from composed import settings
from conftest import REPOSITORY
from pictures import encoded, picture, write
from PIL import Image

from ltnas.data.long_tail import load_long_tail
from ltnas.data.sources.torchvision_sets import SETS

PAGE = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (python -m ltnas\.data .*)$", PAGE, re.M)
IMAGES = 12


def photos(folder, monkeypatch):
    for number in range(IMAGES):
        write(folder / "photos" / "train" / "ab"[number % 2] / f"{number}.png", picture(number))
        write(folder / "photos" / "val" / "ab"[number % 2] / f"{number}.png", picture(number))


def imagenet_lt(folder, monkeypatch):
    for split in ("train", "val", "test"):
        names = [f"{split}/{number}.JPEG" for number in range(IMAGES)]
        for number, name in enumerate(names):
            write(folder / "imagenet_lt" / name, picture(number))
        text = "".join(f"{name} {number % 2}\n" for number, name in enumerate(names))
        write_text(folder / "imagenet_lt" / f"ImageNet_LT_{split}.txt", text)


def lists(folder, monkeypatch):
    imagenet_lt(folder, monkeypatch)
    for name, split in (("a", "train"), ("b", "test")):
        text = (folder / "imagenet_lt" / f"ImageNet_LT_{split}.txt").read_text()
        write_text(folder / "lists" / f"{name}.txt", text)


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def table(folder, header, rows):
    for number in range(IMAGES):
        write(folder / "input" / f"{number}.jpg", picture(number))
    write_text(folder / "table.csv", "\n".join([header, *rows]) + "\n")


def hospital(folder, monkeypatch):
    rows = [f"{number},{20 + number},{'cn'[number % 2]}" for number in range(IMAGES)]
    table(folder / "hospital", "id,age,diagnosis", rows)


def isic(folder, monkeypatch):
    rows = [f"{number},{1 - number % 2}.0,{number % 2}.0" for number in range(IMAGES)]
    table(folder / "isic", "image,MEL,NV", rows)


def inat(folder, monkeypatch):
    for split in ("train2018", "val2018"):
        names = [f"{split}/{number}.jpg" for number in range(IMAGES)]
        for number, name in enumerate(names):
            write(folder / "inat" / name, picture(number))
        content = {
            "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
            "annotations": [{"image_id": n, "category_id": 5 * (n % 2)} for n in range(IMAGES)],
            "categories": [{"id": 0, "name": "fern"}, {"id": 5, "name": "moss"}],
        }
        write_text(folder / "inat" / f"{split}.json", json.dumps(content))


def cifar100(folder, monkeypatch, root="cifar100"):
    (folder / root).mkdir()
    images = pa.array([{"bytes": encoded(picture(number))} for number in range(IMAGES)])
    labels = pa.array([number % 2 for number in range(IMAGES)])
    made = pa.table({"img": images, "fine_label": labels, "coarse_label": labels})
    for split in ("train", "test"):
        pq.write_table(made, folder / root / f"{split}-00000-of-00001.parquet")


def hub(folder, monkeypatch):
    cifar100(folder, monkeypatch, "downloaded")
    download = lambda *args, **settings: str(folder / "downloaded")  # noqa: E731
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)


def bloodmnist(folder, monkeypatch):
    pixels = np.stack([picture(number) for number in range(IMAGES)])
    labels = np.arange(IMAGES)[:, None] % 2
    arrays = {
        f"{split}_{kind}": values
        for split in ("train", "val", "test")
        for kind, values in (("images", pixels), ("labels", labels))
    }
    np.savez(folder / "bloodmnist.npz", **arrays)


class Downloaded:
    """Stands for any data set of torchvision."""

    classes = ("a", "b")

    def __init__(self, root, download, **arguments):
        self.targets = [number % 2 for number in range(IMAGES)]

    def __len__(self):
        return IMAGES

    def __getitem__(self, position):
        return Image.fromarray(picture(position)), self.targets[position]


def downloads(folder, monkeypatch):
    for name in ("CIFAR100", "Flowers102"):
        monkeypatch.setattr(torchvision.datasets, name, Downloaded)


LAYOUTS = {
    **{"data.root=photos": photos, "data.root=imagenet_lt": imagenet_lt},
    **{"data.train=lists/a.txt": lists, "data.root=hospital": hospital, "data.root=isic": isic},
    **{"data.root=inat": inat, "data.root=cifar100": cifar100, "data.hub=uoft-cs/cifar100": hub},
    **{"data.root=bloodmnist.npz": bloodmnist, "data=cifar100": downloads},
    "data.name=Flowers102": downloads,
}
"""Function that makes the data of each command, by one of its words."""


def test_every_layout_has_a_command():
    words = {word for command in COMMANDS for word in shlex.split(command)}
    assert set(LAYOUTS) <= words


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_reads_its_layout(command, tmp_path, monkeypatch):
    words = shlex.split(command)[3:]
    (make,) = (make for word, make in LAYOUTS.items() if word in words)
    make(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    # Twelve images are too few for a long tail.
    kept = [word for word in words if not word.startswith("imbalance=")]
    own = ("imbalance=natural", f"data.cache={tmp_path / 'cache'}")
    config = settings("data_preview", *kept, *own)
    long_tail = load_long_tail(config.data, config.imbalance)
    held_out = {hospital: 2, isic: 2}.get(make, 0)
    assert len(long_tail.classes) == 2
    assert sum(long_tail.available) == IMAGES - held_out
    assert ("data.validation=0.1" in words) <= (long_tail.validation is not None)
    assert len(long_tail.test) == (held_out or IMAGES)


def test_the_page_names_every_set_of_torchvision():
    for name in SETS:
        assert name in PAGE or name == "CIFAR100"
