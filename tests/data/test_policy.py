"""Operations that are chosen for each image."""

import pytest
import torch

from ltnas.data.policy import apply_chosen

IMAGES = torch.arange(6, dtype=torch.uint8).view(6, 1, 1, 1).expand(6, 3, 2, 2).clone()


def test_each_image_gets_its_operation_and_none_leaves_it():
    operations = [lambda images: images + 10, None, lambda images: images + 20]
    changed = apply_chosen(IMAGES, torch.tensor([2, 0, 1, 0, 2, 1]), operations)
    assert changed[:, 0, 0, 0].tolist() == [20, 11, 2, 13, 24, 5]
    assert IMAGES[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_an_operation_is_called_once_with_its_images_and_not_without():
    seen = []

    def watched(images):
        seen.append(images[:, 0, 0, 0].tolist())
        return images

    def unused(images):
        raise AssertionError("no image has this operation")

    apply_chosen(IMAGES, torch.tensor([1, 2, 1, 2, 1, 1]), [unused, watched, watched, unused])
    assert seen == [[0, 2, 4, 5], [1, 3]]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_layout_of_the_images_stays(layout):
    images = IMAGES.contiguous(memory_format=layout)
    changed = apply_chosen(images, torch.tensor([0, 1] * 3), [lambda x: x.contiguous() + 1, None])
    assert changed.stride() == images.stride()
