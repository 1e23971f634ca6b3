"""Cache of decoded images: used if it matches the files, and harmless if it fails."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from ltnas.data.cache import cached, files_key
from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources import folder
from ltnas.data.sources.folder import load_folder
from ltnas.errors import UserError
from ltnas.runs.user_paths import cache_folder


def make_source(seed=0):
    generator = torch.Generator().manual_seed(seed)

    def part(count):
        images = torch.randint(0, 256, (count, 3, 4, 5), generator=generator, dtype=torch.uint8)
        return LabelledImages(images, torch.arange(count) % 2)

    return Source(part(5), part(3), ("café", "tea"))


def same(first, second):
    return first.classes == second.classes and all(
        torch.equal(getattr(getattr(first, part), field), getattr(getattr(second, part), field))
        for part in ("train", "test")
        for field in ("images", "labels")
    )


def fail():
    raise AssertionError("decoded again")


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
    real = folder.decode

    def decode(items, size):
        decoded.extend(name for name, _ in items)
        return real(items, size)

    monkeypatch.setattr(folder, "decode", decode)
    return lambda: len(decoded)


def test_what_is_stored_comes_back_and_is_not_decoded_again(tmp_path):
    source = make_source()
    assert same(cached(tmp_path / "new" / "cache", "name", "key", lambda: source), source)
    again = cached(tmp_path / "new" / "cache", "name", "key", fail)
    assert same(again, source)
    assert again.train.images.dtype == torch.uint8
    assert again.train.labels.dtype == torch.int64


def test_images_that_are_not_contiguous_are_stored_too(tmp_path):
    source = make_source()
    turned = LabelledImages(source.train.images.transpose(2, 3), source.train.labels)
    source = Source(turned, source.test, source.classes)
    cached(tmp_path, "name", "key", lambda: source)
    assert same(cached(tmp_path, "name", "key", fail), source)


@pytest.mark.parametrize("other", [("other", "key"), ("name", "other")])
def test_another_name_or_key_is_another_source(tmp_path, other):
    first, second = make_source(1), make_source(2)
    cached(tmp_path, "name", "key", lambda: first)
    assert same(cached(tmp_path, *other, lambda: second), second)
    assert same(cached(tmp_path, "name", "key", fail), first)


def test_a_cache_folder_holds_finished_files_only(tmp_path):
    cached(tmp_path, "name", "key", make_source)
    assert [path.name for path in tmp_path.iterdir()] == ["name-key.safetensors"]


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_truncated_file_is_made_anew(tmp_path, left):
    source = make_source()
    cached(tmp_path, "name", "key", lambda: source)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:left])
    other = make_source(1)
    assert same(cached(tmp_path, "name", "key", lambda: other), other)
    assert same(cached(tmp_path, "name", "key", fail), other)


@pytest.mark.parametrize("metadata", [None, {"classes": "not json"}, {"other": "x"}])
def test_a_file_of_another_kind_is_made_anew(tmp_path, metadata):
    from safetensors.torch import save_file

    save_file({"weights": torch.ones(3)}, tmp_path / "name-key.safetensors", metadata)
    source = make_source()
    assert same(cached(tmp_path, "name", "key", lambda: source), source)
    assert same(cached(tmp_path, "name", "key", fail), source)


def test_a_cache_that_cannot_be_written_is_not_needed(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")  # root may write in spite of permissions
    source = make_source()
    for _ in range(2):
        assert same(cached(tmp_path / "file" / "cache", "name", "key", lambda: source), source)
        out, err = capsys.readouterr()
        assert out.startswith("note: the decoded images could not be cached for the next run")
        assert str(tmp_path / "file" / "cache") in out
        assert out.count("\n") == 1
        assert err == ""


def test_nothing_is_left_of_a_file_that_could_not_be_finished(tmp_path, monkeypatch, capsys):
    def save_half(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("ltnas.data.cache.save_file", save_half)
    source = make_source()
    assert same(cached(tmp_path, "name", "key", lambda: source), source)
    assert list(tmp_path.iterdir()) == []
    assert "no space left on device" in capsys.readouterr().out


def test_a_source_that_cannot_be_decoded_leaves_nothing(tmp_path):
    def broken():
        raise UserError("an image is broken")

    with pytest.raises(UserError, match="an image is broken"):
        cached(tmp_path, "name", "key", broken)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_the_one_given_or_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("~/mine") == tmp_path / "mine"
    assert cache_folder(None) == tmp_path / "xdg" / "ltnas"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder(None) == tmp_path / ".cache" / "ltnas"


def test_a_key_changes_with_path_size_time_order_and_settings(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("one")
    second.write_text("two")
    os.utime(first, ns=(0, 10**18))
    os.utime(second, ns=(0, 10**18))
    keys = [files_key([first, second], size=None), files_key([second, first], size=None)]
    assert files_key([first, second], size=None) == keys[0]
    keys.append(files_key([first], size=None))
    keys.append(files_key([first, second], size=8))
    os.utime(second, ns=(0, 10**18 + 1))
    keys.append(files_key([first, second], size=None))
    second.write_text("three")
    os.utime(second, ns=(0, 10**18))
    keys.append(files_key([first, second], size=None))
    second.rename(tmp_path / "c")
    keys.append(files_key([first, tmp_path / "c"], size=None))
    assert len(set(keys)) == len(keys) == 7


def test_a_key_is_of_a_file_and_not_of_the_way_it_is_written(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("one")
    monkeypatch.chdir(tmp_path)
    (relative,) = (path for path in type(tmp_path)(".").iterdir())
    assert files_key([relative]) == files_key([tmp_path / "a"])


def test_the_second_load_of_a_folder_decodes_nothing(images, tmp_path, count_decoded):
    first = load_folder(str(images), None, tmp_path / "cache")
    assert count_decoded() == 6
    assert same(load_folder(str(images), None, tmp_path / "cache"), first)
    assert count_decoded() == 6
    load_folder(str(images), 4, tmp_path / "cache")
    assert count_decoded() == 12
    load_folder(str(images), None, tmp_path / "elsewhere")
    assert count_decoded() == 18


def test_a_file_that_changed_is_seen(images, tmp_path, count_decoded):
    before = load_folder(str(images), None, tmp_path / "cache")
    Image.fromarray(np.full((6, 6, 3), 77, np.uint8)).save(images / "a" / "0.png")
    after = load_folder(str(images), None, tmp_path / "cache")
    assert count_decoded() == 12
    assert (after.train.images[0] == 77).all()
    assert torch.equal(after.train.images[1:], before.train.images[1:])


def test_a_link_that_moves_to_another_class_is_seen(images, tmp_path):
    links = tmp_path / "links"
    for label, numbers in (("a", (0, 1, 2)), ("b", (0, 1, 2))):
        (links / label).mkdir(parents=True)
        for number in numbers:
            (links / label / f"{label}{number}.png").symlink_to(images / label / f"{number}.png")
    before = load_folder(str(links), None, tmp_path / "cache")
    assert before.train.labels.tolist() == [0, 0, 1, 1]
    # Images and their order stay, but one more of them belongs to class b.
    (links / "a" / "a2.png").rename(links / "b" / "a2.png")
    after = load_folder(str(links), None, tmp_path / "cache")
    assert after.train.labels.tolist() == [0, 1, 1, 1]
