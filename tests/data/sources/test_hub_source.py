"""Data sets of the Hugging Face hub, with the download replaced."""

import huggingface_hub
import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from test_parquet_source import table


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Folder that stands for the hub: a folder of files for each revision; and the calls."""
    calls = []

    def snapshot_download(name, repo_type, revision, allow_patterns):
        calls.append((name, repo_type, revision, allow_patterns))
        folder = tmp_path / (revision or "main")
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def save(folder):
    folder.mkdir(parents=True)
    pq.write_table(table(range(4), [0, 1, 0, 1], "image"), folder / "train-0.parquet")


def test_a_data_set_is_downloaded(hub, tmp_path, load_data):
    save(tmp_path / "main" / "data")
    assert len(load_data("parquet", hub="owner/name").train) == 2
    assert hub == [("owner/name", "dataset", None, ["*.parquet"])]


def test_the_conversion_of_the_hub_is_taken_where_there_is_no_parquet(hub, tmp_path, load_data):
    save(tmp_path / "refs" / "convert" / "parquet" / "default")
    assert len(load_data("parquet", hub="owner/name").train) == 2
    assert [call[2] for call in hub] == [None, "refs/convert/parquet"]


def test_a_data_set_without_parquet_files(hub, data_error):
    assert "data.hub=owner/name has no Parquet files" in data_error("parquet", hub="owner/name")


@pytest.mark.parametrize("error", [LocalEntryNotFoundError("no network"), ValueError("a bad name")])
def test_a_download_that_fails(monkeypatch, data_error, error):
    def fail(*args, **settings):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    message = data_error("parquet", hub="owner/name")
    assert f"data.hub=owner/name cannot be downloaded ({error})" in message
    assert "check the name and the network" in message


def test_without_the_package(monkeypatch, data_error):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    assert "pip install 'ltnas[hub]'" in data_error("parquet", hub="owner/name")
