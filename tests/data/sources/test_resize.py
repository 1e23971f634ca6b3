"""Scaling of images that are arrays."""

import numpy as np
import torch

from ltnas.data.sources.resize import resize


def test_resize_keeps_what_has_the_size_and_does_parts_as_the_whole():
    images = torch.from_numpy(np.random.RandomState(0).randint(0, 256, (5000, 3, 4, 4))).byte()
    assert resize(images, None) is images
    assert resize(images, 4) is images
    scaled = resize(images, 6)
    assert scaled.shape == (5000, 3, 6, 6)
    assert scaled.dtype == torch.uint8
    for row in (0, 4095, 4096, 4999):  # on both sides of the border between parts
        assert torch.equal(scaled[row], resize(images[row : row + 1], 6)[0])
    step = torch.tensor([0, 1], dtype=torch.uint8).expand(1, 3, 2, 2)
    assert resize(step, 4)[0, 0, 0].tolist() == [0, 0, 1, 1]  # rounded from 0, 1/4, 3/4, 1
    even = torch.full((1, 3, 4, 4), 200, dtype=torch.uint8)
    assert torch.equal(resize(even, 9), torch.full((1, 3, 9, 9), 200, dtype=torch.uint8))
