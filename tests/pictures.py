"""Small images for tests of sources."""

import io
from types import SimpleNamespace

import numpy as np
import torch
import torchvision.datasets
from PIL import Image


def picture(number, size=(8, 8)):
    """Return a random image, uint8 [H, W, 3], determined by a number."""
    width, height = size
    return np.random.RandomState(number).randint(0, 256, (height, width, 3)).astype(np.uint8)


def encoded(pixels, kind="png"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def write(path, pixels, **options):
    """Write a file of an image or of its pixels, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def as_tensor(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


def fake_cifar10(monkeypatch, error=None, names=None):
    """Replace torchvision's CIFAR-10 by a small data set or an error; return the calls."""
    calls = []

    def build(root, train, download):
        calls.append((root, train, download))
        if error is not None:
            raise error
        count = 20 if train else 10
        pixels = np.stack([picture(number, (32, 32)) for number in range(count)])
        return SimpleNamespace(
            data=pixels,
            targets=[number % 10 for number in range(count)],
            classes=names or [f"class {number}" for number in range(10)],
        )

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", build)
    return calls
