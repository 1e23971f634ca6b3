"""A source reduced to a long-tailed training set, with its test sets and its description."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ltnas.config import Data, Imbalance, Run, SearchConfig
from ltnas.data.augment import Normalisation
from ltnas.data.images import LabelledImages, Source
from ltnas.data.sources import load_source
from ltnas.data.subset import Indices, checksum, class_counts, subset_indices, wanted_counts
from ltnas.data.test_part import part_of_test
from ltnas.data.test_sets import (
    BALANCED,
    UNBALANCED,
    Groups,
    TestSets,
    name_of_all,
    shot_groups,
)
from ltnas.data.training_subset import TrainingSubset, training_subset
from ltnas.errors import UserError


@dataclass(frozen=True)
class LongTail:
    """Long-tailed training set of a source, with the source's test images and their test sets.

    Args:
        classes: names of the classes, C of them.
        train: kept training images.
        test: all test images.
        validation: images that are neither learned from nor tested on; None if there are none.
        train_indices: positions of the kept images among the source's training images, [N].
        test_indices: positions of the long-tailed test set among all test images, [M].
        counts: number of training images of each class, [C].
        wanted: number of images that the imbalance rule asks for in each class, [C]; larger than
            `counts` where the source has too few.
        available: number of training images of each class that the source has, [C].
        imbalance: name of the imbalance rule, for example `exp0.1`.
        groups: many-, medium- and few-shot classes.
        normalisation: mean and standard deviation of each channel.
        validation_indices: positions of the images for validation among the source's training
            images, int64 [K]; empty if there are none or if they are a split of their own.
        notes: sentences for the user about how the data set was read.
        skipped: names of the images that could not be read and were left out.
        grey_range: values of images of more than 8 bits that became 0 and 255; None if there are
            no such images.
        tested: positions of the test images that a run tests on, int64; None for all of them.
    """

    classes: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages
    validation: LabelledImages | None
    train_indices: Indices
    validation_indices: Indices
    test_indices: Indices
    counts: list[int]
    wanted: list[int]
    available: list[int]
    imbalance: str
    groups: Groups
    normalisation: Normalisation
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    grey_range: tuple[int, int] | None = None
    tested: Tensor | None = None

    @property
    def checksum(self) -> str:
        """Checksum of the positions of the kept training images."""
        return checksum(self.train_indices)

    @property
    def shortens_tail(self) -> bool:
        """True if the rule drops images of a source that is not balanced to within a tenth.

        Balanced sources that were split at random, such as the digits, have classes that differ by
        a few images.
        """
        is_balanced = name_of_all(self.available) == BALANCED
        kept = sum(self.counts) + len(self.validation_indices)
        return not is_balanced and kept < sum(self.available)

    @cached_property
    def content_checksum(self) -> str:
        """Checksum of all images of a run, their labels and class names, wherever they come from.

        It depends on the imbalance, because only kept training images are included.
        """
        sets = (self.train, self.test, self.validation)
        return _content_checksum(self.classes, *(data for data in sets if data is not None))

    @cached_property
    def test_checksum(self) -> str:
        """Checksum of all test images, labels and class names; the same at each imbalance."""
        return _content_checksum(self.classes, self.test)

    def class_counts_of(self, positions: Indices) -> Tensor:
        """Return the number of training images of each class at some positions, int64 [C]."""
        labels = self.train.labels[torch.from_numpy(positions)]
        return labels.bincount(minlength=len(self.classes))

    @property
    def image_size(self) -> int:
        """Width in pixels of the images that the network sees."""
        return self.view_size[1]

    @property
    def view_size(self) -> tuple[int, int]:
        """Height and width in pixels of the images that the network sees."""
        side = self.normalisation.side
        return self.train.size if side is None else (side, side)

    @property
    def tested_images(self) -> LabelledImages:
        """Test images that a run tests on."""
        if self.tested is None:
            return self.test
        return self.test.select(self.tested)

    def limited_to(self, test_batches: int | None) -> LongTail:
        """Return the same data with a part of the test images, see `part_of_test`."""
        part = part_of_test(self.test.labels, len(self.classes), test_batches)
        return replace(self, tested=part)

    @property
    def test_sets(self) -> TestSets:
        """Set of all test images and long-tailed test set.

        Of an unbalanced test split, a long-tailed test set that is all of it is left out.
        """
        labels = self.test.labels
        name = name_of_all(labels.bincount(minlength=len(self.classes)).tolist())
        only_one = name == UNBALANCED and len(self.test_indices) == len(labels)
        long_tailed = None if only_one else torch.from_numpy(self.test_indices)
        if self.tested is not None and long_tailed is not None:
            long_tailed = torch.isin(self.tested, long_tailed).nonzero().squeeze(1)
        return TestSets(
            classes=len(self.classes),
            long_tailed=long_tailed,
            groups=self.groups,
            name=name,
            part=None if self.tested is None else len(self.tested),
            validation=0 if self.validation is None else len(self.validation),
        )


def load_long_tail(data: Data, imbalance: Imbalance) -> LongTail:
    """Load the source and select the long-tailed training and test images.

    Raises:
        UserError: the source cannot be loaded (see `load_source`), or a class would have no
            training image.
    """
    source = load_source(data)
    if data.indices is not None and source.skipped:
        raise UserError(
            f"data.indices={data.indices} counts all training images, but "
            f"{len(source.skipped):,} images cannot be read ({source.skipped[0]}, ...): replace "
            "them, or leave data.indices out"
        )
    classes = len(source.classes)
    labels, test_labels = (part.labels.numpy() for part in (source.train, source.test))
    subset = training_subset(data, imbalance, labels, source.classes)
    test_wanted = wanted_counts(imbalance, len(test_labels), classes)
    # The accuracy of a class can only be measured if the test set contains it.
    test_wanted = test_wanted and [max(1, count) for count in test_wanted]
    test_counts = class_counts(test_wanted, test_labels, classes)
    train = source.train.select(torch.from_numpy(subset.train))
    validation, notes = _validation(data, source, subset)
    counts = class_counts(None, train.labels.numpy(), classes)
    return LongTail(
        classes=source.classes,
        train=train,
        test=source.test,
        validation=validation,
        train_indices=subset.train,
        validation_indices=subset.validation,
        # Both subsets are selected with the same seed.
        test_indices=subset_indices(test_labels, test_counts, data.subset_seed),
        counts=counts,
        wanted=subset.wanted,
        available=class_counts(None, labels, classes),
        imbalance=imbalance.name,
        groups=shot_groups(counts, data.many_above, data.few_below),
        normalisation=_normalisation(data, train),
        notes=(*source.notes, *subset.notes, *notes),
        skipped=source.skipped,
        grey_range=source.grey_range,
    )


def _validation(
    data: Data, source: Source, subset: TrainingSubset
) -> tuple[LabelledImages | None, tuple[str, ...]]:
    """Return the images for validation, and a note if those of the source are not used."""
    own = source.validation
    if data.validation is None:
        return own, ()
    notes = (
        ()
        if own is None
        else (
            f"the {len(own):,} validation images of the data set are not used, because of "
            f"data.validation={data.validation:g}",
        )
    )
    if not len(subset.validation):
        return None, notes
    return source.train.select(torch.from_numpy(subset.validation)), notes


def _content_checksum(classes: tuple[str, ...], *parts: LabelledImages) -> str:
    """Return 64 hexadecimal digits that identify class names, images and labels."""
    digest = hashlib.sha256(json.dumps(classes).encode())
    for part in parts:
        digest.update(f"torch.uint8 {[len(part), *part.stored.shape[1:]]}".encode())
        for pixels in part.parts():
            digest.update(pixels.contiguous().numpy().ravel().data)
        digest.update(f"{part.labels.dtype} {list(part.labels.shape)}".encode())
        digest.update(part.labels.contiguous().numpy().ravel().data)
    return digest.hexdigest()


def _normalisation(data: Data, train: LabelledImages) -> Normalisation:
    """Return the configured constants, or else those of the training images."""
    side = None if data.stored_size is None else data.image_size
    if data.mean is not None and data.std is not None:
        return Normalisation(tuple(data.mean), tuple(data.std), side)
    # A histogram of byte values is exact and needs no float copy of the images, [3, 256].
    counts = np.zeros((3, 256))
    for pixels in train.parts():
        for channel in range(3):
            counts[channel] += torch.bincount(pixels[:, channel].flatten(), minlength=256).numpy()
    values = torch.arange(256, dtype=torch.float64) / 255
    mean, std = [], []
    # A channel without variation would have the standard deviation 0: it is at least 1e-3.
    for channel in range(3):
        share = torch.from_numpy(counts[channel] / counts[channel].sum())
        mean.append(float((share * values).sum()))
        std.append(float((share * (values - mean[-1]) ** 2).sum().sqrt()))
    return Normalisation(tuple(mean), tuple(max(value, 1e-3) for value in std), side)


def data_checksum(config: Run) -> str:
    """Load the data sets of a run and return the checksum of their content.

    Raises:
        UserError: see `load_long_tail`.
    """
    return checksum_of_all(load_long_tail(config.data, config.imbalance), second_long_tail(config))


def second_long_tail(config: Run) -> LongTail | None:
    """Load the second data set of a search with the imbalance of the first; None if it has none.

    Raises:
        UserError: see `load_long_tail`.
    """
    data = config.second_data if isinstance(config, SearchConfig) else None
    if data is None:
        return None
    try:
        return load_long_tail(data, config.imbalance)
    except UserError as error:  # names the keys of the first data set
        raise UserError(f"second data set, whose keys begin with second_data: {error}") from error


def checksum_of_all(first: LongTail, second: LongTail | None) -> str:
    """Return the checksum of the content of the data sets of a run."""
    if second is None:
        return first.content_checksum
    both = first.content_checksum + second.content_checksum
    return hashlib.sha256(both.encode()).hexdigest()


def describe_data(source: str, long_tail: LongTail) -> dict[str, Any]:
    """Return the entry `data` of metrics.json: source, subset, classes and test sets."""
    return {
        "source": source,
        "imbalance": long_tail.imbalance,
        "subset_checksum": long_tail.checksum,
        "checksum": long_tail.content_checksum,
        "test_checksum": long_tail.test_checksum,
        "image_size": long_tail.image_size,
        "classes": list(long_tail.classes),
        "class_counts": long_tail.counts,
        "skipped_images": len(long_tail.skipped),
        "validation_images": long_tail.test_sets.validation,
        "test_images": len(long_tail.test.labels),
        "tested_images": len(long_tail.tested_images.labels),
        "long_tailed_test_images": len(long_tail.test_indices),
        "groups": long_tail.groups,
    }
