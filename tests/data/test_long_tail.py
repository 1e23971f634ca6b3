"""Long-tailed training and test sets of a source."""

import numpy as np
import pytest
import torch

from ltnas.config import Data, Imbalance
from ltnas.data import long_tail
from ltnas.data.images import LabelledImages, Source
from ltnas.data.long_tail import load_long_tail
from ltnas.data.subset import checksum
from ltnas.errors import UserError

CLASSES = 10


def part(per_class, seed):
    """Images of 2 x 2 pixels, `per_class[c]` of class c, in random order."""
    generator = np.random.RandomState(seed)
    labels = generator.permutation(np.repeat(np.arange(len(per_class)), per_class))
    # Channels have distinct ranges, so that confusing them is noticed.
    images = (
        generator.randint(0, 80, (len(labels), 3, 2, 2)) + np.array([0, 70, 170])[:, None, None]
    )
    return LabelledImages(torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels))


SOURCE = part((500,) * CLASSES, 1)
"""Training images of the fixture's source by default."""


@pytest.fixture
def load(monkeypatch):
    """Function that loads a source with given numbers of images of each class."""

    def _load(imbalance, train=(500,) * CLASSES, test=(100,) * CLASSES, **data):
        names = tuple(f"class{label}" for label in range(len(train)))
        source = Source(part(train, 1), part(test, 2), names)
        monkeypatch.setattr(long_tail, "load_source", lambda data: source)
        return load_long_tail(Data("digits", **data), imbalance)

    return _load


def published(labels, counts, seed=0):
    """Indices of the images that the code of Cao et al. keeps, in its order."""
    generator = np.random.RandomState(seed)
    kept = []
    for label, count in enumerate(counts):
        indices = np.where(labels == label)[0]
        generator.shuffle(indices)
        kept.extend(indices[:count].tolist())
    return kept


def test_training_and_test_subsets_follow_one_rule(load):
    tail = load(Imbalance("exp", 0.1))
    assert tail.counts == tail.wanted == [500, 387, 299, 232, 179, 139, 107, 83, 64, 50]
    assert tail.train_indices.tolist() == published(SOURCE.labels.numpy(), tail.counts)
    test_counts = [100, 77, 59, 46, 35, 27, 21, 16, 12, 10]
    assert tail.test_indices.tolist() == published(tail.test.labels.numpy(), test_counts)
    assert tail.groups == {"many": [0, 1, 2, 3], "medium": [4, 5, 6], "few": [7, 8, 9]}
    assert tail.image_size == 2
    assert torch.equal(tail.train.images, SOURCE.images[torch.from_numpy(tail.train_indices)])
    assert torch.equal(tail.train.labels, SOURCE.labels[torch.from_numpy(tail.train_indices)])


def test_a_step_in_training_and_test_set(load):
    tail = load(Imbalance("step", 0.1))
    assert tail.counts == [500] * 5 + [50] * 5
    assert tail.test.labels[torch.from_numpy(tail.test_indices)].bincount().tolist() == (
        [100] * 5 + [10] * 5
    )
    assert tail.groups == {"many": [0, 1, 2, 3, 4], "medium": [], "few": [5, 6, 7, 8, 9]}


def test_a_test_subset_keeps_an_image_of_every_class(load):
    tail = load(Imbalance("exp", 0.004))
    assert tail.counts[-1] == 2
    counts = tail.test.labels[torch.from_numpy(tail.test_indices)].bincount().tolist()
    # 100 * 0.004 ** (8 / 9) is 0.7, and the count of the last class 0.4
    assert counts == [100, 54, 29, 15, 8, 4, 2, 1, 1, 1]


def test_classes_with_too_few_images_are_capped_and_the_wanted_counts_are_kept(load):
    train = (900, 500, 500, 500, 500, 500, 500, 500, 500, 100)
    tail = load(Imbalance("balance"), train)
    assert tail.wanted == [500] * 10
    assert tail.counts == [500] * 9 + [100]
    step = load(Imbalance("step", 0.5), train)
    assert step.wanted == [500] * 5 + [250] * 5
    assert step.counts == [500] * 5 + [250] * 4 + [100]


@pytest.mark.parametrize(
    ("imbalance", "train", "shortens"),
    [
        (Imbalance("exp", 0.1), (110, 60, 20, 10), True),
        (Imbalance("balance"), (110, 60, 20, 10), True),
        (Imbalance("natural"), (110, 60, 20, 10), False),
        (Imbalance("exp", 0.1), (50, 50, 50, 50), False),
        (Imbalance("exp", 0.1), (147, 143, 142, 144), False),
        (Imbalance("exp", 0.1), (100, 89, 100, 100), True),
    ],
)
def test_a_rule_that_drops_images_of_a_long_tailed_source(load, imbalance, train, shortens):
    tail = load(imbalance, train, train)
    assert tail.available == list(train)
    assert tail.imbalance == imbalance.name
    assert tail.shortens_tail is shortens


def test_natural_keeps_everything(load):
    train, test = (40, 7, 1), (3, 5, 0)
    tail = load(Imbalance("natural"), train, test)
    assert tail.counts == tail.wanted == [40, 7, 1]
    assert sorted(tail.train_indices.tolist()) == list(range(48))
    assert sorted(tail.test_indices.tolist()) == list(range(8))


def test_a_class_without_test_images_stays_without(load):
    tail = load(Imbalance("exp", 0.5), (50, 50, 50), (9, 9, 0))
    assert tail.test.labels[torch.from_numpy(tail.test_indices)].bincount().tolist() == [6, 4]


def test_the_seed_chooses_the_subset_and_its_checksum(load):
    first, again = load(Imbalance("exp", 0.1)), load(Imbalance("exp", 0.1))
    other = load(Imbalance("exp", 0.1), subset_seed=1)
    assert first.checksum == again.checksum == checksum(first.train_indices)
    assert first.checksum != other.checksum
    assert first.counts == other.counts
    assert other.train_indices.tolist() == published(SOURCE.labels.numpy(), other.counts, 1)
    assert other.test_indices.tolist() != first.test_indices.tolist()
    assert load(Imbalance("exp", 0.2)).checksum != first.checksum


def test_the_checksum_of_the_test_images_does_not_depend_on_the_imbalance(load):
    first, balanced = load(Imbalance("exp", 0.1)), load(Imbalance("balance"))
    assert first.test_checksum == balanced.test_checksum
    assert first.content_checksum != balanced.content_checksum
    other = load(Imbalance("exp", 0.1), test=(100,) * 9 + (99,))
    assert other.test_checksum != first.test_checksum


def test_normalisation_is_measured_on_the_kept_training_images(load):
    tail = load(Imbalance("exp", 0.01))
    images = SOURCE.images.numpy() / 255
    kept = images[tail.train_indices]
    mean, std = kept.mean((0, 2, 3)), kept.std((0, 2, 3))
    np.testing.assert_allclose(tail.normalisation.mean, mean, rtol=1e-9)
    np.testing.assert_allclose(tail.normalisation.std, std, rtol=1e-9)
    assert not np.allclose(images.mean((0, 2, 3)), mean, rtol=1e-6)


def test_a_channel_of_one_value_can_be_divided_by(monkeypatch):
    images = torch.full((4, 3, 2, 2), 51, dtype=torch.uint8)
    data = LabelledImages(images, torch.tensor([0, 1, 0, 1]))
    monkeypatch.setattr(long_tail, "load_source", lambda _: Source(data, data, ("a", "b")))
    tail = load_long_tail(Data("digits"), Imbalance())
    assert tail.normalisation.mean == pytest.approx((0.2, 0.2, 0.2))
    assert tail.normalisation.std == (1e-3, 1e-3, 1e-3)
    assert tail.normalisation.standardise_bytes(images).abs().max() < 1e-3


def test_given_constants_are_used_as_they_are(load):
    tail = load(Imbalance("exp", 0.1), mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])
    assert tail.normalisation.mean == (0.1, 0.2, 0.3)
    assert tail.normalisation.std == (0.4, 0.5, 0.6)


def test_given_thresholds_make_the_groups(load):
    tail = load(Imbalance("exp", 0.1), many_above=300, few_below=100)
    assert tail.groups == {"many": [0, 1], "medium": [2, 3, 4, 5, 6], "few": [7, 8, 9]}


@pytest.mark.parametrize(
    ("imbalance", "test", "name", "parts"),
    [
        (Imbalance("natural"), (100, 100, 100), "balanced", 2),
        (Imbalance("exp", 0.1), (100, 95, 90), "balanced", 2),  # as nearly equal as MNIST is not
        (Imbalance("exp", 0.1), (100, 95, 89), "test", 2),
        (Imbalance("natural"), (100, 20, 5), "test", 1),
        (Imbalance("natural"), (100, 100, 0), "test", 1),
    ],
)
def test_the_test_images_are_called_balanced_only_if_they_are(load, imbalance, test, name, parts):
    tests = load(imbalance, (50, 50, 50), test).test_sets
    assert (tests.name, 1 + (tests.long_tailed is not None)) == (name, parts)
    assert tests.headline == {"balanced": "accuracy_balanced", "test": "macro_accuracy_test"}[name]


def test_digits_cut_to_a_tail():
    tail = load_long_tail(Data("digits"), Imbalance("exp", 0.1))
    labels = long_tail.load_source(Data("digits")).train.labels.numpy()
    largest = len(labels) / 10
    wanted = [int(largest * 0.1 ** (i / 9)) for i in range(10)]
    assert tail.wanted == wanted
    available = np.bincount(labels)
    assert tail.counts == np.minimum(wanted, available).tolist()
    assert labels[tail.train_indices].tolist() == np.repeat(np.arange(10), tail.counts).tolist()
    assert tail.image_size == 8


@pytest.mark.parametrize(
    ("imbalance", "name", "label"),
    [(Imbalance("exp", 0.001), "exp0.001", 7), (Imbalance("step", 0.005), "step0.005", 5)],
)
def test_a_factor_that_leaves_a_class_of_digits_without_an_image(imbalance, name, label):
    with pytest.raises(UserError) as caught:
        load_long_tail(Data("digits"), imbalance)
    message = str(caught.value)
    assert "\n" not in message
    assert f"imbalance={name} leaves class {label} without a training image" in message
    assert "of 143 per class" in message
    assert "choose a larger factor" in message
