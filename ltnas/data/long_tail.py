"""A source cut to a long tail: what is trained on, what is tested on, and how it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ltnas.config import Data, Imbalance, Run
from ltnas.data.augment import Normalisation
from ltnas.data.images import LabelledImages
from ltnas.data.sources import load_source
from ltnas.data.subset import Indices, checksum, class_counts, subset_indices, wanted_counts
from ltnas.data.test_sets import Groups, TestSets, shot_groups
from ltnas.errors import UserError


@dataclass(frozen=True)
class LongTail:
    """A long-tailed training set, and a balanced and a long-tailed test set.

    `train` are the kept training images, `test` all test images; `train_indices` and
    `test_indices` are the places in the source of the kept ones and of the long-tailed test set.
    `counts` are the training images of each class, `wanted` what the rule asked for, more where a
    class has too few.
    """

    classes: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages
    train_indices: Indices
    test_indices: Indices
    counts: list[int]
    wanted: list[int]
    groups: Groups
    normalisation: Normalisation

    @property
    def checksum(self) -> str:
        """Of the kept training images."""
        return checksum(self.train_indices)

    @property
    def image_size(self) -> int:
        """Side of the images, pixels."""
        return self.train.images.shape[-1]

    @property
    def test_sets(self) -> TestSets:
        """Both test sets."""
        return TestSets(len(self.classes), torch.from_numpy(self.test_indices), self.groups)


def load_long_tail(data: Data, imbalance: Imbalance) -> LongTail:
    """Load the source and cut the subsets.

    Raises:
        UserError: see `load_source`; or a class would be left without a training image.
    """
    source = load_source(data)
    classes = len(source.classes)
    labels, test_labels = (part.labels.numpy() for part in (source.train, source.test))
    wanted = wanted_counts(imbalance, len(labels), classes)
    counts = class_counts(wanted, labels, classes)
    if 0 in counts:
        raise UserError(
            f"imbalance={imbalance.name} leaves class {source.classes[counts.index(0)]} without a "
            f"training image ({len(labels) // classes} a class before): take a larger factor"
        )
    test_wanted = wanted_counts(imbalance, len(test_labels), classes)
    # A test set without one of the classes could not tell how good the network is on it.
    test_wanted = test_wanted and [max(1, count) for count in test_wanted]
    train = subset_indices(labels, counts, data.subset_seed)
    test = subset_indices(
        test_labels, class_counts(test_wanted, test_labels, classes), data.subset_seed
    )
    chosen = torch.from_numpy(train)
    kept = LabelledImages(source.train.images[chosen], source.train.labels[chosen])
    return LongTail(
        classes=source.classes,
        train=kept,
        test=source.test,
        train_indices=train,
        test_indices=test,
        counts=counts,
        wanted=wanted or counts,
        groups=shot_groups(counts, data.many_above, data.few_below),
        normalisation=_normalisation(data, kept.images),
    )


def _normalisation(data: Data, images: Tensor) -> Normalisation:
    """The configured constants, else those of the training subset."""
    if data.mean is not None and data.std is not None:
        return Normalisation(tuple(data.mean), tuple(data.std))
    # From a histogram of byte values: exact, and no float copy of the images.
    values = torch.arange(256, dtype=torch.float64) / 255
    mean, std = [], []
    for channel in range(3):
        pixels = images[:, channel].numpy()
        share = torch.from_numpy(np.bincount(pixels.ravel(), minlength=256) / pixels.size)
        mean.append(float((share * values).sum()))
        std.append(float((share * (values - mean[-1]) ** 2).sum().sqrt()))
    return Normalisation(tuple(mean), tuple(max(value, 1e-3) for value in std))


def describe_data(config: Run, long_tail: LongTail) -> dict[str, Any]:
    """What was trained and tested on, in plain types."""
    return {
        "source": config.data.source,
        "imbalance": config.imbalance.name,
        "subset_checksum": long_tail.checksum,
        "image_size": long_tail.image_size,
        "classes": list(long_tail.classes),
        "class_counts": long_tail.counts,
        "test_images": len(long_tail.test.labels),
        "long_tailed_test_images": len(long_tail.test_indices),
        "groups": long_tail.groups,
    }
