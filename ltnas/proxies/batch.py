"""The batch of images that zero-shot proxies are computed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ltnas.data.long_tail import LongTail
from ltnas.data.measuring import balanced_positions
from ltnas.data.seeds import generator


@dataclass(frozen=True)
class ProxyBatch:
    """Normalised images without augmentation.

    Args:
        images: [B, 3, H, W].
        labels: class numbers, int64 [B].
        classes: number of classes C.
    """

    images: Tensor
    labels: Tensor
    classes: int

    @property
    def counts(self) -> list[int]:
        """Number of images of each class, [C]."""
        return self.labels.bincount(minlength=self.classes).tolist()

    def first(self, images: int) -> ProxyBatch:
        """Return the batch of the first images; of all if there are fewer."""
        return ProxyBatch(self.images[:images], self.labels[:images], self.classes)

    def parts(self, number: int) -> list[ProxyBatch]:
        """Return the batch in parts of about equal size."""
        pairs = zip(self.images.chunk(number), self.labels.chunk(number), strict=True)
        return [ProxyBatch(images, labels, self.classes) for images, labels in pairs]

    def to(self, device: torch.device) -> ProxyBatch:
        """Return the batch on a device."""
        return ProxyBatch(self.images.to(device), self.labels.to(device), self.classes)


def natural_positions(labels: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Draw positions of images uniformly; see `balanced_positions`."""
    return torch.randperm(len(labels), generator=generator)[:size]


POSITIONS: dict[str, Callable[[Tensor, int, torch.Generator], Tensor]] = {
    "balanced": balanced_positions,
    "natural": natural_positions,
}
"""Ways to draw the images of a batch, by their names in `ltnas.config.BATCHES`."""


def draw_batch(long_tail: LongTail, size: int, seed: int, kind: str = "balanced") -> ProxyBatch:
    """Draw a batch from the training images of a data set, as a function of the seed.

    Of long-tailed images, a batch with natural frequencies mostly has images of the largest
    classes, so that proxies which see labels would measure how well a network learns those.

    Args:
        long_tail: data set.
        size: number of images; fewer if the data set has fewer.
        seed: seed of the draw.
        kind: one of `POSITIONS`.
    """
    labels = long_tail.train.labels
    drawn = POSITIONS[kind](labels, size, generator(seed))
    normalised = long_tail.normalisation.standardise_bytes(long_tail.train.take(drawn))
    return ProxyBatch(normalised, labels[drawn], len(long_tail.classes))
