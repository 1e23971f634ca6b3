"""Cache of decoded images: used if it matches the files, and harmless if it fails."""

import dataclasses
import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from ltnas.config import Data
from ltnas.data import decode as decoding
from ltnas.data import decoded_file
from ltnas.data.cache import decoded_images, listing_key
from ltnas.data.listing import EncodedImage, EncodedImages, Listing, of_files
from ltnas.data.sources import load_source
from ltnas.data.stored_images import StoredImages
from ltnas.errors import UserError
from ltnas.runs.user_paths import cache_folder


def make_pixels(seed=0):
    """Pixels of five training and three test images, each [N, 4, 5, 3]."""
    generator = np.random.RandomState(seed)
    return {
        "train": generator.randint(0, 256, (5, 4, 5, 3)).astype(np.uint8),
        "test": generator.randint(0, 256, (3, 4, 5, 3)).astype(np.uint8),
    }


def make_listing(pixels, files=()):
    """Listing of images that are given by their pixels; None for an image that is broken."""

    def part(images):
        def open_image(image):
            if image is None:
                raise UserError("an image is broken")
            return Image.fromarray(image)

        def read():
            for number, image in enumerate(images):
                yield EncodedImage(f"image {number}", partial(open_image, image))

        return EncodedImages([number % 2 for number in range(len(images))], read)

    return Listing(("a", "b"), {name: part(images) for name, images in pixels.items()}, files)


def load(folder, listing, name="name", broken="error"):
    return decoded_images(listing, folder, name, None, broken)


def holds(decoded, pixels):
    """True if the decoded images are these, with the labels 0, 1, 0, ..."""
    return list(decoded.parts) == list(pixels) and all(
        torch.equal(decoded.parts[split].images, torch.from_numpy(images).permute(0, 3, 1, 2))
        and decoded.parts[split].labels.tolist() == [n % 2 for n in range(len(images))]
        for split, images in pixels.items()
    )


def files_of(folder):
    """The only file of a cache that is no lock."""
    (path,) = (one for one in folder.iterdir() if not one.name.startswith("."))
    return path


def locks_of(folder):
    (path,) = (one for one in folder.iterdir() if one.name.startswith("."))
    return path


def unreadable(pixels):
    """Listing with the key of these images, of which none can be decoded."""
    return make_listing({split: [None] * len(images) for split, images in pixels.items()})


@pytest.fixture
def images(tmp_path):
    """Two classes of three images."""
    for label in ("a", "b"):
        for number in range(3):
            path = tmp_path / "images" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.RandomState(ord(label) + number).randint(0, 256, (6, 6, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return tmp_path / "images"


@pytest.fixture
def count_decoded(monkeypatch):
    """Function that returns the number of images decoded since the test began."""
    decoded = []
    real = decoding.decode_image

    def decode_image(name, *args):
        decoded.append(name)
        return real(name, *args)

    monkeypatch.setattr(decoding, "decode_image", decode_image)
    return lambda: len(decoded)


def test_what_is_stored_comes_back_and_is_not_decoded_again(tmp_path):
    pixels = make_pixels()
    assert holds(load(tmp_path / "new" / "cache", make_listing(pixels)), pixels)
    again = load(tmp_path / "new" / "cache", unreadable(pixels))
    assert holds(again, pixels)
    assert again.parts["train"].images.dtype == torch.uint8
    assert again.parts["train"].labels.dtype == torch.int64


def test_files_have_the_format_of_safetensors(tmp_path):
    from safetensors.torch import load_file

    pixels = make_pixels()
    load(tmp_path, make_listing(pixels))
    path = files_of(tmp_path)
    tensors = load_file(path)
    assert torch.equal(tensors["test.images"], torch.from_numpy(pixels["test"]).permute(0, 3, 1, 2))
    assert tensors["train.labels"].tolist() == [0, 1, 0, 1, 0]


def test_images_decoded_in_several_parts_are_one_set(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "PART", 2)
    pixels = make_pixels()
    assert holds(load(tmp_path, make_listing(pixels)), pixels)


def test_pixels_stay_in_the_file_until_they_are_asked_for(tmp_path):
    pixels = make_pixels()
    train = load(tmp_path, make_listing(pixels)).parts["train"]
    assert isinstance(train.stored, StoredImages)
    expected = torch.from_numpy(pixels["train"]).permute(0, 3, 1, 2)
    assert torch.equal(train.take(torch.tensor([3, 0, 3])), expected[[3, 0, 3]])
    part = train.select(torch.tensor([4, 1, 2])).select(torch.tensor([2, 0]))
    assert torch.equal(part.images, expected[[2, 4]])
    assert part.labels.tolist() == [0, 0]
    assert (len(part), part.size, part.bytes) == (2, (4, 5), 2 * 3 * 4 * 5)


def test_parts_of_images_are_all_of_them_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("ltnas.data.images.PART_BYTES", 130)  # an image has 60 bytes
    pixels = make_pixels()
    train = load(tmp_path, make_listing(pixels)).parts["train"]
    expected = torch.from_numpy(pixels["train"]).permute(0, 3, 1, 2)
    for data, order in (
        (train, [0, 1, 2, 3, 4]),
        (train.select(torch.tensor([4, 0, 2])), [4, 0, 2]),
    ):
        parts = list(data.parts())
        assert [len(part) for part in parts] == [2] * (len(order) // 2) + [1]
        assert torch.equal(torch.cat(parts), expected[order])


@pytest.mark.parametrize("stored", [True, False])
def test_broken_images_are_left_out_and_named(tmp_path, stored, capsys):
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "cache" if stored else tmp_path / "file" / "cache"
    pixels = make_pixels()
    images = {"train": list(pixels["train"]), "test": list(pixels["test"])}
    images["train"][1] = images["train"][4] = images["test"][0] = None
    for _ in range(2):
        decoded = load(folder, make_listing(images), broken="skip")
        train, test = decoded.parts["train"], decoded.parts["test"]
        assert train.labels.tolist() == [0, 0, 1]
        assert test.labels.tolist() == [1, 0]
        kept = torch.from_numpy(pixels["train"][[0, 2, 3]]).permute(0, 3, 1, 2)
        assert torch.equal(train.images, kept)
        assert decoded.skipped == ("image 1", "image 4", "image 0")


def test_another_name_or_treatment_is_another_file(tmp_path):
    first, second = make_pixels(1), make_pixels(2)
    load(tmp_path, make_listing(first))
    assert holds(load(tmp_path, make_listing(second), name="other"), second)
    assert holds(load(tmp_path, make_listing(second), broken="skip"), second)
    assert holds(load(tmp_path, unreadable(first)), first)


def test_a_cache_folder_holds_finished_files_and_locks_only(tmp_path):
    load(tmp_path, make_listing(make_pixels()))
    path, lock = files_of(tmp_path), locks_of(tmp_path)
    assert lock.read_bytes() == b""
    assert path.name.startswith("name-")
    assert path.suffix == ".safetensors"


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_truncated_file_is_made_anew(tmp_path, left):
    load(tmp_path, make_listing(make_pixels()))
    path = files_of(tmp_path)
    path.write_bytes(path.read_bytes()[:left])
    other = make_pixels(1)
    assert holds(load(tmp_path, make_listing(other)), other)
    assert holds(load(tmp_path, unreadable(other)), other)


@pytest.mark.parametrize("content", [b"", b"text", b"\x02\0\0\0\0\0\0\0[]", b"\xff" * 40])
def test_a_file_of_another_kind_is_made_anew(tmp_path, content):
    pixels = make_pixels()
    load(tmp_path, make_listing(pixels))
    path = files_of(tmp_path)
    path.write_bytes(content)
    assert holds(load(tmp_path, make_listing(pixels)), pixels)
    assert holds(load(tmp_path, unreadable(pixels)), pixels)


def test_weights_in_the_place_of_images_are_replaced(tmp_path):
    from safetensors.torch import save_file

    pixels = make_pixels()
    load(tmp_path, make_listing(pixels))
    path = files_of(tmp_path)
    save_file({"weights": torch.ones(3)}, path, {"classes": "two"})
    assert holds(load(tmp_path, make_listing(pixels)), pixels)


def test_a_cache_that_cannot_be_written_is_not_needed(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")  # root may write in spite of permissions
    pixels = make_pixels()
    for _ in range(2):
        assert holds(load(tmp_path / "file" / "cache", make_listing(pixels)), pixels)
        out, err = capsys.readouterr()
        assert out.startswith("note: the decoded images could not be cached for the next run")
        assert str(tmp_path / "file" / "cache") in out
        assert out.count("\n") == 1
        assert err == ""


def test_nothing_is_left_of_a_file_that_could_not_be_finished(tmp_path, monkeypatch, capsys):
    class Full(io.BytesIO):
        def write(self, content):
            raise OSError("no space left on device")

    def open_full(path, mode):
        if mode == "rb":
            return real(path, mode)
        path.touch()
        return Full()

    real = Path.open
    monkeypatch.setattr(Path, "open", open_full)
    pixels = make_pixels()
    assert holds(load(tmp_path, make_listing(pixels)), pixels)
    assert [one for one in tmp_path.iterdir() if one.suffix != ".lock"] == []
    assert "no space left on device" in capsys.readouterr().out


def test_a_disk_without_room_is_seen_before_images_are_decoded(tmp_path, monkeypatch, capsys):
    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr(decoded_file.shutil, "disk_usage", lambda folder: usage)
    pixels = make_pixels()
    decoded_images(make_listing(pixels), tmp_path, "name", 16, "error")
    assert "0.0 GB are free" in capsys.readouterr().out
    assert [one for one in tmp_path.iterdir() if one.suffix != ".lock"] == []


def test_what_a_killed_process_has_left_is_removed(tmp_path):
    pixels = make_pixels()
    load(tmp_path, make_listing(pixels))
    path = files_of(tmp_path)
    path.rename(path.with_name(f"{path.name}.0123.partial"))
    other = tmp_path / "other-key.safetensors.0123.partial"
    other.write_bytes(b"of another process")
    load(tmp_path, make_listing(pixels))
    assert {one.name for one in tmp_path.iterdir() if one.suffix != ".lock"} == {
        path.name,
        other.name,
    }


def test_one_of_two_processes_decodes_and_the_other_waits(tmp_path, count_decoded):
    """A second thread stands for the second process: locks belong to open files."""
    pixels, begun, go_on = make_pixels(), threading.Event(), threading.Event()
    plain = make_listing(pixels)

    def read_slowly():
        begun.set()
        assert go_on.wait(30)
        yield from plain.splits["train"].read()

    splits = {**plain.splits, "train": EncodedImages(plain.splits["train"].labels, read_slowly)}
    slow = dataclasses.replace(plain, splits=splits)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(load, tmp_path, slow)
        assert begun.wait(30)
        second = pool.submit(load, tmp_path, unreadable(pixels))
        assert not second.done()
        go_on.set()
        assert holds(first.result(), pixels)
        assert holds(second.result(), pixels)
    assert count_decoded() == 8


def test_names_of_files_need_not_be_text(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    path.write_bytes(b"x")
    keys = {listing_key(Listing((), {}, [one])) for one in (path, path)}
    assert len(keys) == 1


def test_a_source_that_cannot_be_decoded_leaves_nothing(tmp_path):
    with pytest.raises(UserError, match="an image is broken"):
        load(tmp_path, unreadable(make_pixels()))
    assert [one for one in tmp_path.iterdir() if one.suffix != ".lock"] == []


def test_the_folder_is_the_one_given_or_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("~/mine") == tmp_path / "mine"
    assert cache_folder(None) == tmp_path / "xdg" / "ltnas"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder(None) == tmp_path / ".cache" / "ltnas"


def test_a_key_changes_with_path_size_time_order_labels_and_settings(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("one")
    second.write_text("two")
    os.utime(first, ns=(0, 10**18))
    os.utime(second, ns=(0, 10**18))

    def key(*files, labels=(0, 1), split="train", **settings):
        listing = Listing(("x", "y"), {split: of_files(files, labels)}, files)
        return listing_key(listing, **settings)

    keys = [key(first, second), key(second, first)]
    assert key(first, second) == keys[0]
    keys.append(key(first))
    keys.append(key(first, second, size=8))
    keys.append(key(first, second, labels=(1, 0)))
    keys.append(key(first, second, split="test"))
    os.utime(second, ns=(0, 10**18 + 1))
    keys.append(key(first, second))
    second.write_text("three")
    os.utime(second, ns=(0, 10**18))
    keys.append(key(first, second))
    second.rename(tmp_path / "c")
    keys.append(key(first, tmp_path / "c"))
    assert len(set(keys)) == len(keys) == 9


def test_a_key_is_of_a_file_and_not_of_the_way_it_is_written(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("one")
    monkeypatch.chdir(tmp_path)
    (relative,) = (path for path in type(tmp_path)(".").iterdir())
    keys = [listing_key(Listing((), {}, [path])) for path in (relative, tmp_path / "a")]
    assert keys[0] == keys[1]


def load_folder(root, cache, **settings):
    return load_source(Data("folder", str(root), cache=str(cache), **settings))


def same(first, second):
    return first.classes == second.classes and all(
        torch.equal(getattr(getattr(first, part), field), getattr(getattr(second, part), field))
        for part in ("train", "test")
        for field in ("images", "labels")
    )


def test_the_second_load_of_a_folder_decodes_nothing(images, tmp_path, count_decoded):
    first = load_folder(images, tmp_path / "cache")
    assert count_decoded() == 6
    assert same(load_folder(images, tmp_path / "cache"), first)
    assert count_decoded() == 6
    load_folder(images, tmp_path / "cache", image_size=4)
    assert count_decoded() == 12
    load_folder(images, tmp_path / "elsewhere")
    assert count_decoded() == 18


def test_a_file_that_changed_is_seen(images, tmp_path, count_decoded):
    before = load_folder(images, tmp_path / "cache")
    Image.fromarray(np.full((6, 6, 3), 77, np.uint8)).save(images / "a" / "0.png")
    after = load_folder(images, tmp_path / "cache")
    assert count_decoded() == 12
    assert (after.train.images[0] == 77).all()
    assert torch.equal(after.train.images[1:], before.train.images[1:])


def test_a_link_that_moves_to_another_class_is_seen(images, tmp_path):
    links = tmp_path / "links"
    for label, numbers in (("a", (0, 1, 2)), ("b", (0, 1, 2))):
        (links / label).mkdir(parents=True)
        for number in numbers:
            (links / label / f"{label}{number}.png").symlink_to(images / label / f"{number}.png")
    before = load_folder(links, tmp_path / "cache")
    assert before.train.labels.tolist() == [0, 0, 1, 1]
    # Images and their order stay, but one more of them belongs to class b.
    (links / "a" / "a2.png").rename(links / "b" / "a2.png")
    after = load_folder(links, tmp_path / "cache")
    assert after.train.labels.tolist() == [0, 1, 1, 1]


GROWTH = """
import sys
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ltnas.data import decode
from ltnas.data.cache import decoded_images
from ltnas.data.listing import EncodedImage, EncodedImages, Listing
from ltnas.runs.memory import keep_freed_memory, process_peak

keep_freed_memory()  # as trainings on a CPU do
decode.PART = 32
pixels = np.random.RandomState(0).randint(0, 256, (160, 160, 3)).astype(np.uint8)


def load(count):
    images = lambda: (EncodedImage("x", partial(Image.fromarray, pixels)) for _ in range(count))
    listing = Listing(("a", "b"), {"train": EncodedImages([0, 1] * (count // 2), images)}, ())
    decoded_images(listing, Path(sys.argv[1]), "name", None, "error")
    return process_peak()


print(-load(320) + load(2400))
"""


def test_decoding_holds_a_part_of_the_images_and_not_all(tmp_path):
    """Those of the second load are 176 MiB, those of a part 2.3 MiB."""
    command = [sys.executable, "-c", GROWTH, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40 * 2**20
