"""List of the images that were left out."""

import os
from types import SimpleNamespace

import pytest

from ltnas.data.skipped import FILE, write_skipped
from ltnas.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def data(*names):
    return SimpleNamespace(skipped=names)


def test_names_of_all_data_sets_are_listed(folder):
    write_skipped(folder, data("a.png", "b.png"), None, data("c.png"))
    assert (folder.path / FILE).read_text() == "a.png\nb.png\nc.png\n"


def test_names_that_are_no_text_are_listed(folder):
    write_skipped(folder, data(os.fsdecode(b"caf\xe9.png")))
    assert (folder.path / FILE).read_bytes() == b"caf\xe9.png\n"


def test_no_list_without_names_and_an_old_one_goes(folder):
    write_skipped(folder, data())
    assert list(folder.path.iterdir()) == []
    write_skipped(folder, data("a.png"))
    write_skipped(folder, data())
    assert list(folder.path.iterdir()) == []


def test_other_processes_write_nothing(tmp_path):
    write_skipped(RunFolder(tmp_path, writes=False), data("a.png"))
    assert list(tmp_path.iterdir()) == []
