"""Masks of patches: exact numbers, whole patches, uniform draws, and sizes that are refused."""

import itertools

import pytest
import torch

from ltnas import config as c
from ltnas.data.augment import Normalisation, PlainView
from ltnas.data.patch_mask import PatchMask, check_patches
from ltnas.data.placement import OnDevice
from ltnas.data.stream import Stream
from ltnas.errors import UserError


def drawn(mask, images=16, seed=0):
    random = torch.rand(images, mask.draws, generator=torch.Generator().manual_seed(seed))
    return mask(torch.zeros(images, 3, mask.height, mask.width, dtype=torch.uint8), random)


@pytest.mark.parametrize(
    ("shape", "patch", "ratio", "masked"),
    [
        ((32, 32), 4, 0.5, 32),
        ((32, 32), 4, 0.75, 48),
        ((8, 12), 2, 0.3, 7),  # 7.2 of 24
        ((6, 6), 2, 0.5, 4),  # 4.5 of 9
        ((8, 8), 1, 0.99, 63),
    ],
)
def test_each_image_has_the_exact_number_of_whole_masked_patches(shape, patch, ratio, masked):
    found = drawn(PatchMask(*shape, patch, ratio))
    assert found.shape == (16, 1, *shape)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    of_patches = found.unfold(2, patch, patch).unfold(3, patch, patch).flatten(4)
    assert of_patches.amin(-1).equal(of_patches.amax(-1))
    assert of_patches.amax(-1).sum((1, 2, 3)).tolist() == [masked] * 16


def test_the_smallest_numbers_are_masked():
    random = torch.tensor([[0.4, 0.1, 0.9, 0.2], [0.0, 0.0, 0.0, 0.0]])
    found = PatchMask(2, 2, 1, 0.5)(torch.zeros(2, 3, 2, 2), random)
    assert found.flatten(1).tolist() == [[0, 1, 0, 1], [1, 1, 0, 0]]


def test_every_pair_of_patches_is_masked_equally_often():
    found = drawn(PatchMask(2, 2, 1, 0.5), images=60_000).flatten(1)
    pairs = [(found[:, i] * found[:, j]).mean() for i, j in itertools.combinations(range(4), 2)]
    # Six pairs; the standard deviation of a share of 1/6 is 0.0015.
    torch.testing.assert_close(torch.stack(pairs), torch.full((6,), 1 / 6), rtol=0, atol=0.008)


def stream(rank=0, ranks=1):
    images = torch.randint(
        0, 256, (24, 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    view = PlainView(Normalisation((0.5,) * 3, (0.25,) * 3), padding=1, flip=True)
    return Stream(
        OnDevice(images, torch.arange(24) % 3),
        torch.arange(24),
        batch_size=8,
        views=(view, PatchMask(8, 8, 2, 0.5)),
        seed=3,
        number=0,
        rank=rank,
        ranks=ranks,
    )


def test_masks_are_a_function_of_seed_epoch_and_step():
    first, again = list(stream()), list(stream())
    for a, b in zip(first, again, strict=True):
        assert all(x.equal(y) for x, y in zip(a.tensors(), b.tensors(), strict=True))
    later = stream()
    later.set_epoch(1)
    masks = [batch.views[1] for batch in (*first, *later)]
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 6


def test_ranks_have_the_rows_of_the_whole_batch():
    whole, parts = list(stream()), [list(stream(rank, 2)) for rank in (0, 1)]
    for step, batch in enumerate(whole):
        for view, mine in enumerate(batch.views):
            for rank in (0, 1):
                assert parts[rank][step].views[view].equal(mine[rank::2])


@pytest.mark.parametrize(
    ("objective", "shape", "words"),
    [
        (
            c.MaskedReconstruction(),
            (30, 30),
            "objective.patch=4 does not divide images of 30x30 pixels: take objective.patch=3",
        ),
        (c.MaskedReconstruction(patch=8), (28, 28), "objective.patch=7"),
        (c.MaskedReconstruction(patch=64), (32, 32), "take objective.patch=16"),
        (c.MaskedReconstruction(), (8, 10), "images of 10x8 pixels: take objective.patch=2"),
        (
            c.MaskedReconstruction(patch=8),
            (8, 8),
            "objective.mask_ratio=0.5 masks 0 of the 1 patches",
        ),
        (c.MaskedReconstruction(mask_ratio=0.95), (8, 8), "masks 4 of the 4 patches"),
    ],
)
def test_sizes_that_are_refused(objective, shape, words):
    with pytest.raises(UserError) as caught:
        check_patches(objective, *shape)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sizes_that_fit_and_other_objectives_are_not_refused():
    check_patches(c.MaskedReconstruction(), 32, 8)
    check_patches(c.BarlowTwins(), 7, 7)
    check_patches(c.SameObjective(), 7, 7)
