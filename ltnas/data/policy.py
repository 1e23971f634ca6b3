"""Policies of augmentation, which change each image of a batch by operations drawn for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor


class Policy(Protocol):
    """Augmentation of uint8 images between crop and cutout."""

    @property
    def draws(self) -> int:
        """Number of random numbers per image."""
        ...

    def __call__(self, images: Tensor, random: Tensor) -> Tensor:
        """Return augmented images, uint8 [B, 3, H, W].

        Args:
            images: uint8 [B, 3, H, W].
            random: uniform in [0, 1), [B, draws].
        """
        ...


def apply_chosen(
    images: Tensor, chosen: Tensor, operations: Sequence[Callable[[Tensor], Tensor] | None]
) -> Tensor:
    """Return the images, each changed by the operation that was drawn for it.

    torchvision draws one operation for a whole batch. Here the images that share an operation are
    changed together.

    Args:
        images: uint8 [B, 3, H, W].
        chosen: position in `operations` for each image, int64 [B].
        operations: functions of uint8 images; None leaves images as they are.
    """
    # The counts are the only numbers that the host waits for.
    counts = chosen.bincount(minlength=len(operations)).tolist()
    changed = images.clone()
    for operation, rows in zip(operations, chosen.argsort(stable=True).split(counts), strict=True):
        if operation is not None and len(rows):
            changed[rows] = operation(images[rows])
    return changed
