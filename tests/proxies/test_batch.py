"""Batches of proxies: which images are drawn, and that a seed decides them."""

import dataclasses

import pytest
import torch

from ltnas import config as c
from ltnas.config import BATCHES
from ltnas.data.long_tail import load_long_tail
from ltnas.data.measuring import balanced_positions
from ltnas.data.seeds import generator
from ltnas.proxies.batch import POSITIONS, draw_batch, natural_positions

LABELS = torch.tensor([0] * 50 + [1] * 10 + [2] * 2)


@pytest.fixture(scope="module")
def long_tail():
    return load_long_tail(c.Data(source="digits"), c.Imbalance("exp", 0.05))


def counts(positions):
    return LABELS[positions].bincount(minlength=3).tolist()


@pytest.mark.parametrize(
    ("size", "expected"), [(6, [2, 2, 2]), (12, [5, 5, 2]), (32, [20, 10, 2]), (99, [50, 10, 2])]
)
def test_a_balanced_batch_has_as_many_of_each_class_as_there_are(size, expected):
    positions = balanced_positions(LABELS, size, generator(0))
    assert counts(positions) == expected
    assert len(set(positions.tolist())) == len(positions)


def test_the_first_images_of_a_balanced_batch_are_balanced():
    assert counts(balanced_positions(LABELS, 30, generator(0))[:6]) == [2, 2, 2]


def test_a_natural_batch_draws_each_image_once():
    positions = natural_positions(LABELS, 62, generator(0))
    assert sorted(positions.tolist()) == list(range(62))
    assert positions.tolist() != list(range(62))


def test_a_batch_is_a_function_of_its_seed(long_tail):
    first, again, other = (draw_batch(long_tail, 20, seed) for seed in (1, 1, 2))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)


def test_images_are_normalised_and_keep_their_labels(long_tail):
    one = dataclasses.replace(
        long_tail, train=dataclasses.replace(long_tail.train, stored=long_tail.train.stored[:] * 0)
    )
    batch = draw_batch(one, 20, seed=0)
    pairs = zip(one.normalisation.mean, one.normalisation.std, strict=True)
    black = [-mean / std for mean, std in pairs]
    assert batch.images[0, :, 0, 0].tolist() == pytest.approx(black)
    assert batch.counts == [2] * 10
    assert batch.classes == 10


def test_parts_and_first_images(long_tail):
    batch = draw_batch(long_tail, 21, seed=0)
    assert [len(part.labels) for part in batch.parts(2)] == [11, 10]
    assert torch.equal(batch.first(11).images, batch.parts(2)[0].images)


def test_names_of_configurations():
    assert tuple(POSITIONS) == BATCHES
