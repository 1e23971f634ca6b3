"""CIFAR-10 as torchvision downloads it."""

import urllib.error

import pytest
import torch
from pictures import as_tensor, fake_cifar10, picture


def test_cifar10_is_that_of_torchvision(tmp_path, monkeypatch, load_data):
    calls = fake_cifar10(monkeypatch)
    source = load_data("cifar10", tmp_path / "here")
    assert calls == [(str(tmp_path / "here"), True, True), (str(tmp_path / "here"), False, True)]
    assert source.train.images.shape == (20, 3, 32, 32)
    assert torch.equal(source.train.images[3], as_tensor(picture(3, (32, 32))))
    assert torch.equal(source.test.images[9], as_tensor(picture(9, (32, 32))))
    assert source.train.labels.tolist() == [number % 10 for number in range(20)]
    assert source.train.labels.dtype == torch.int64
    assert source.classes == tuple(f"class {number}" for number in range(10))
    assert load_data("cifar10", image_size=16).test.images.shape == (10, 3, 16, 16)
    assert calls[2][0] == str(tmp_path / "cache" / "cifar10")


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.URLError("Name or service not known"),
        TimeoutError("timed out"),
        ConnectionResetError("connection reset"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_cifar10_without_a_network(tmp_path, monkeypatch, data_error, error):
    fake_cifar10(monkeypatch, error)
    message = data_error("cifar10", tmp_path / "here")
    assert f"CIFAR-10 cannot be downloaded ({getattr(error, 'reason', error)})" in message
    assert f"copy cifar-10-python.tar.gz into {tmp_path / 'here'}" in message
    assert "data=cifar10_parquet data.root=PATH" in message
    assert "data=digits" in message


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Dataset not found or corrupted."),
        EOFError("Ran out of input"),
        OSError("not a gzip file"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_damaged_cifar10(tmp_path, monkeypatch, data_error, error):
    fake_cifar10(monkeypatch, error)
    message = data_error("cifar10", tmp_path / "here")
    assert f"CIFAR-10 in {tmp_path / 'here'} cannot be read ({error})" in message
    assert "delete that folder" in message
