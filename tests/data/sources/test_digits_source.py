"""Handwritten digits of scikit-learn."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from ltnas.data.sources.digits import every_fifth


def test_digits_are_those_of_scikit_learn(load_data):
    source = load_data("digits")
    pixels, labels = load_digits(return_X_y=True)
    test = np.zeros(len(labels), bool)
    seen = [0] * 10
    for row, label in enumerate(labels):
        test[row] = seen[label] % 5 == 1
        seen[label] += 1
    assert source.classes == tuple("0123456789")
    for part, mask in ((source.train, ~test), (source.test, test)):
        assert part.labels.tolist() == labels[mask].tolist()
        assert part.labels.dtype == torch.int64
        expected = np.rint(pixels[mask] * 255 / 16).astype(np.uint8).reshape(-1, 1, 8, 8)
        assert torch.equal(part.images, torch.from_numpy(expected).expand(-1, 3, -1, -1))
    assert len(source.train.labels) + len(source.test.labels) == 1797


def test_digits_are_scaled(load_data):
    small, large = load_data("digits"), load_data("digits", image_size=16)
    assert large.train.images.shape[1:] == (3, 16, 16)
    assert large.train.images.dtype == torch.uint8
    middle = large.train.images.float().unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean((3, 5))
    assert (middle - small.train.images.float()).abs().mean() < 25


def test_every_fifth_of_a_class_is_held_out_beginning_with_the_second():
    labels = torch.tensor([0, 1, 0, 0, 2, 0, 1, 0, 0, 0])
    assert every_fifth(labels).nonzero().flatten().tolist() == [2, 6, 9]
