"""Operations of policies: pixels that come from outside, and sizes of moves."""

import pytest
import torch

from ltnas.data.image_operations import image_operations

WHITE = torch.full((2, 3, 32, 32), 255, dtype=torch.uint8)
MOVES = ("shear_x", "shear_y", "shift_x", "shift_y", "rotate")


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize(("fill", "grey"), [(None, 0), (0, 0), (128, 128)])
def test_pixels_from_outside_have_the_grey_of_the_fill(name, fill, grey):
    moved = image_operations(fill)[name](WHITE, 0.9)
    assert moved.dtype == torch.uint8
    assert set(moved.unique().tolist()) == {grey, 255}


@pytest.mark.parametrize("name", sorted(set(image_operations()) - set(MOVES)))
def test_other_operations_have_no_pixels_from_outside(name):
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 8, 8), generator=random, dtype=torch.uint8)
    black, grey = (image_operations(fill)[name](images, 0.9) for fill in (None, 128))
    assert torch.equal(black, grey)


@pytest.mark.parametrize(("level", "pixels"), [(3, 5), (8, 13), (9, 15)])
@pytest.mark.parametrize("sign", [-1, 1])
def test_images_shift_to_the_nearest_pixel(level, pixels, sign):
    """150 / 331 of 32 pixels are 14.50 at level 9: 4.83 at level 3, 12.89 at level 8."""
    columns = torch.arange(32, dtype=torch.uint8).expand(1, 3, 32, 32) + 100
    moved = image_operations()["shift_x"](columns, sign * level / 9)
    inside = torch.arange(32) - sign * pixels
    expected = torch.where((inside >= 0) & (inside < 32), inside + 100, 0)
    assert moved[0, 0, 0].tolist() == expected.tolist()
    rows = image_operations()["shift_y"](columns.mT, sign * level / 9)
    assert torch.equal(rows, moved.mT)


def test_inverted_images():
    images = torch.tensor([0, 1, 128, 255], dtype=torch.uint8).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    inverted = image_operations()["invert"](images, 0.0)
    assert inverted[0, 0].flatten().tolist() == [255, 254, 127, 0]
