"""Part of the test images: as many of each class, far apart, the same for every seed."""

import numpy as np
import pytest
import torch

from ltnas.config import Data, Imbalance
from ltnas.data.long_tail import load_long_tail
from ltnas.data.test_part import evenly, part_of_test


def labels_of(*counts):
    """Labels sorted by class, as those of a folder are."""
    return torch.from_numpy(np.repeat(np.arange(len(counts)), counts))


def counts_in(labels, part, classes):
    return labels[part].bincount(minlength=classes).tolist()


def test_classes_have_as_many_images_as_they_can():
    labels = labels_of(400, 300, 5, 60)
    part = part_of_test(labels, 4, 2)
    assert counts_in(labels, part, 4) == [68, 67, 5, 60]
    assert part.tolist() == sorted(set(part.tolist()))


@pytest.mark.parametrize("batches", [None, 3, 4])
def test_no_part_if_all_images_are_tested(batches):
    assert part_of_test(labels_of(150, 150), 2, batches) is None


def test_images_of_a_class_lie_far_apart():
    part = part_of_test(labels_of(1000, 1000), 2, 1)
    of_first = part[part < 1000]
    assert len(of_first) == 50
    gaps = of_first.diff()  # 20 on average
    assert gaps.min() >= 10
    assert gaps.max() <= 40


def test_more_classes_than_images_are_sampled_evenly():
    labels = labels_of(*[20] * 1000)
    classes = labels[part_of_test(labels, 1000, 1)]
    assert len(classes.unique()) == 100
    assert classes.diff().max() <= 20  # 10 on average


def test_a_smaller_part_is_contained_in_a_larger_one():
    labels = labels_of(90, 700, 230)
    small, large = (set(part_of_test(labels, 3, batches).tolist()) for batches in (2, 5))
    assert small < large


@pytest.mark.parametrize("count", [0, 1, 7, 500])
def test_an_order_has_each_number_once(count):
    assert sorted(evenly(count).tolist()) == list(range(count))


def test_long_tailed_test_images_are_found_in_the_part():
    whole = load_long_tail(Data("digits"), Imbalance("exp", 0.1))
    part = whole.limited_to(1)
    sets = part.test_sets
    assert sets.part == len(part.tested_images.labels) == 100
    found = part.tested[sets.long_tailed]
    assert set(found.tolist()) == set(whole.test_indices.tolist()) & set(part.tested.tolist())
    assert sets.name == whole.test_sets.name == "balanced"
    # What identifies the data is independent of the part.
    assert part.content_checksum == whole.content_checksum
    assert whole.limited_to(None).test_sets.part is None
