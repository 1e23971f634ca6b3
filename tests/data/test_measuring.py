"""Images on which architectures are measured."""

import numpy as np
import torch
from composed import composed

from ltnas.data.long_tail import load_long_tail
from ltnas.data.measuring import balanced_part, measuring_batches


def test_all_classes_have_the_same_number_of_images_as_far_as_they_go():
    labels = np.repeat([0, 1, 2], [50, 20, 3])
    positions = np.arange(0, 73)
    found = balanced_part(labels, positions, 30, 0)
    assert np.bincount(labels[found]).tolist() == [10, 10, 3]
    assert len(set(found.tolist())) == len(found)
    assert found.tolist() == balanced_part(labels, positions, 30, 0).tolist()
    assert found.tolist() != balanced_part(labels, positions, 30, 1).tolist()


def test_images_come_from_the_given_positions_and_not_by_class():
    labels = np.repeat([0, 1], [40, 40])
    positions = np.arange(0, 80, 2)
    found = balanced_part(labels, positions, 20, 0)
    assert len(found) == 20
    assert set(found.tolist()) <= set(positions.tolist())
    assert np.bincount(labels[found]).tolist() == [10, 10]
    assert labels[found].tolist() != sorted(labels[found].tolist())


def test_a_class_that_the_positions_lack_has_no_images():
    labels = np.array([0, 0, 2, 2, 1])
    assert sorted(balanced_part(labels, np.arange(4), 4, 0).tolist()) == [0, 1, 2, 3]


def test_batches_are_standardised_and_of_equal_size():
    config = composed("search")
    long_tail = load_long_tail(config.data, config.imbalance)
    positions = np.arange(10)[::-1].copy()
    batches = measuring_batches(long_tail, positions, size=4, device=torch.device("cpu"))
    assert [len(batch.labels) for batch in batches] == [4, 3, 3]
    labels = torch.cat([batch.labels for batch in batches])
    assert torch.equal(labels, long_tail.train.labels[:10].flip(0))
    pixels = long_tail.train.images[9].float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in vars(long_tail.normalisation).values())
    torch.testing.assert_close(batches[0].views[0][0], (pixels - mean) / std)
