"""Long-tailed subsets compared with the rule of Cao et al. (2019), typed again here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ltnas.config import Imbalance
from ltnas.data.subset import (
    checksum,
    class_counts,
    stratified_halves,
    subset_indices,
    wanted_counts,
)

PUBLISHED = {
    ("exp", 0.1): ([5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500], 20431),
    ("exp", 0.02): (None, 13996),
    ("exp", 0.01): ([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50], 12406),
    ("step", 0.1): ([5000] * 5 + [500] * 5, 27500),
    ("step", 0.01): ([5000] * 5 + [50] * 5, 25250),
}


@pytest.fixture
def cifar_labels():
    """5,000 labels of each of ten classes, in random order."""
    return np.random.RandomState(7).permutation(np.repeat(np.arange(10), 5000))


def published_counts(images, classes, kind, factor):
    """`get_img_num_per_cls` of LDAM-DRW, for any number of images."""
    img_max = images / classes
    if kind == "exp":
        return [int(img_max * (factor ** (i / (classes - 1.0)))) for i in range(classes)]
    tail = classes - classes // 2  # the original writes `classes // 2`: it forgets one of odd
    return [int(img_max) for _ in range(classes // 2)] + [
        int(img_max * factor) for _ in range(tail)
    ]


def published_selection(targets, counts):
    """`gen_imbalanced_data` of LDAM-DRW with its `np.random.seed(0)`."""
    state = np.random.get_state()
    try:
        np.random.seed(0)
        chosen = []
        for the_class, the_img_num in zip(np.unique(targets), counts, strict=True):
            idx = np.where(targets == the_class)[0]
            np.random.shuffle(idx)
            chosen.extend(idx[:the_img_num])
    finally:
        np.random.set_state(state)
    return chosen


@pytest.mark.parametrize(("kind", "factor"), PUBLISHED)
def test_counts_of_cifar10_are_the_published_ones(kind, factor):
    counts, total = PUBLISHED[kind, factor]
    wanted = wanted_counts(Imbalance(kind, factor), 50_000, 10)
    assert sum(wanted) == total
    assert counts is None or wanted == counts


@given(
    kind=st.sampled_from(["exp", "step"]),
    factor=st.floats(0.001, 1.0),
    classes=st.integers(2, 60),
    size=st.integers(1, 5000),
    rest=st.integers(0, 59),
)
@settings(max_examples=150, deadline=None)
def test_counts_for_any_number_of_classes(kind, factor, classes, size, rest):
    images = classes * size + rest % classes
    wanted = wanted_counts(Imbalance(kind, factor), images, classes)
    assert wanted == published_counts(images, classes, kind, factor)
    assert len(wanted) == classes
    assert wanted == sorted(wanted, reverse=True)
    assert wanted[0] == size
    assert wanted[-1] == int(images / classes * factor)


def test_an_odd_number_of_classes_has_the_larger_part_in_the_tail_of_a_step():
    assert wanted_counts(Imbalance("step", 0.1), 500, 5) == [100, 100, 10, 10, 10]
    assert wanted_counts(Imbalance("step", 0.5), 30, 3) == [10, 5, 5]


def test_balance_asks_for_the_mean_and_natural_for_everything():
    assert wanted_counts(Imbalance("balance"), 1437, 10) == [143] * 10
    assert wanted_counts(Imbalance("natural"), 1437, 10) is None


def test_an_unknown_kind_of_imbalance_is_refused():
    imbalance = Imbalance()
    imbalance.kind = "pareto"  # the constructor would refuse it, too
    with pytest.raises(ValueError, match="pareto is not a value on the imbalance axis"):
        wanted_counts(imbalance, 500, 10)


def test_a_class_with_fewer_images_than_wanted_gives_all_of_them():
    labels = np.array([0] * 2 + [1] * 9 + [3])
    assert class_counts([4, 4, 4, 4], labels, 4) == [2, 4, 0, 1]
    assert class_counts(None, labels, 4) == [2, 9, 0, 1]
    assert class_counts(None, labels, 5) == [2, 9, 0, 1, 0]


@pytest.mark.parametrize(("kind", "factor"), PUBLISHED)
def test_seed_0_keeps_the_images_of_the_published_code(cifar_labels, kind, factor):
    counts = wanted_counts(Imbalance(kind, factor), 50_000, 10)
    kept = subset_indices(cifar_labels, counts, 0)
    assert kept.dtype == np.int64
    assert kept.tolist() == published_selection(cifar_labels, counts)


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array),
    counts=st.lists(st.integers(0, 20), min_size=5, max_size=5),
    seed=st.integers(0, 1000),
)
@settings(max_examples=80, deadline=None)
def test_a_subset_has_its_counts_class_after_class_and_no_image_twice(labels, counts, seed):
    kept = subset_indices(labels, counts, seed)
    available = [int((labels == label).sum()) for label in range(5)]
    expected = [min(pair) for pair in zip(counts, available, strict=True)]
    assert labels[kept].tolist() == [label for label in range(5) for _ in range(expected[label])]
    assert len(set(kept.tolist())) == len(kept)


def test_a_class_that_wants_less_keeps_the_first_of_the_same_shuffle(cifar_labels):
    few = subset_indices(cifar_labels, [10] * 10, 0).reshape(10, 10)
    many = subset_indices(cifar_labels, [500] * 10, 0).reshape(10, 500)
    assert (many[:, :10] == few).all()


def test_the_global_generator_of_numpy_is_left_alone(cifar_labels):
    state = np.random.get_state()
    try:
        np.random.seed(20260101)  # a state that no call for seed 0 could leave
        before = np.random.get_state()
        subset_indices(cifar_labels, [100] * 10, 0)
        stratified_halves(cifar_labels, 0)
        after = np.random.get_state()
    finally:
        np.random.set_state(state)
    assert (before[1] == after[1]).all()
    assert before[2:] == after[2:]


def test_the_global_generator_of_numpy_has_no_say(cifar_labels):
    state = np.random.get_state()
    try:
        np.random.seed(1)
        first = subset_indices(cifar_labels, [100] * 10, 0)
        first_halves = stratified_halves(cifar_labels, 0)
        np.random.seed(2)
        second = subset_indices(cifar_labels, [100] * 10, 0)
        second_halves = stratified_halves(cifar_labels, 0)
    finally:
        np.random.set_state(state)
    assert (first == second).all()
    assert all((a == b).all() for a, b in zip(first_halves, second_halves, strict=True))


def test_the_checksum_tells_subsets_apart(cifar_labels):
    counts = [50] * 10
    kept = subset_indices(cifar_labels, counts, 0)
    digits = checksum(kept)
    assert len(digits) == 16
    assert int(digits, 16) >= 0
    assert checksum(subset_indices(cifar_labels, counts, 0)) == digits
    assert checksum(kept.astype(">i8")) == digits  # independent of the byte order
    assert checksum(subset_indices(cifar_labels, counts, 1)) != digits
    assert checksum(kept[:-1]) != digits
    assert checksum(np.roll(kept, 1)) != digits
    other = kept.copy()
    other[123] += 1
    assert checksum(other) != digits


labels_of_any_shape = st.lists(st.integers(0, 6), min_size=1, max_size=80).map(np.array)


@given(labels=labels_of_any_shape, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_halves_are_disjoint_and_whole_and_even_in_every_class(labels, seed):
    weights, architecture = stratified_halves(labels, seed)
    for label in np.unique(labels):
        positions = set(np.flatnonzero(labels == label).tolist())
        ours = [position for position in weights.tolist() if position in positions]
        theirs = [position for position in architecture.tolist() if position in positions]
        if len(positions) == 1:
            assert set(ours) == set(theirs) == positions
            assert len(ours) == len(theirs) == 1
            continue
        assert len(ours) + len(theirs) == len(positions)
        assert set(ours) | set(theirs) == positions
        assert len(ours) - len(theirs) == len(positions) % 2
    again = stratified_halves(labels, seed)
    assert (again[0] == weights).all()
    assert (again[1] == architecture).all()


def test_a_class_of_one_image_is_in_both_halves():
    weights, architecture = stratified_halves(np.array([0, 0, 0, 1, 2, 2]), 3)
    assert 3 in weights
    assert 3 in architecture
    assert sorted(weights)[-1] in (4, 5)
    assert len(weights) == 4
    assert len(architecture) == 3


def test_halves_change_with_the_seed(cifar_labels):
    first, second = (stratified_halves(cifar_labels, seed)[0] for seed in (0, 1))
    assert set(first.tolist()) != set(second.tolist())


def test_halves_are_drawn_and_not_cut_in_the_order_given():
    weights, _ = stratified_halves(np.zeros(200, dtype=np.int64), 0)
    assert set(weights.tolist()) != set(range(100))
