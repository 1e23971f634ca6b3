"""Choice of the training images of a run, and of those that it is validated on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ltnas.config import Data, Imbalance
from ltnas.data.subset import (
    Indices,
    checksum,
    class_counts,
    subset_indices,
    wanted_counts,
)
from ltnas.errors import UserError
from ltnas.runs.user_paths import expanded


class TrainingSubset(NamedTuple):
    """Training images of a run, as positions among those of the source.

    Args:
        train: positions of the images that are learned from, int64 [N].
        validation: positions of the images that the run is validated on, int64 [M].
        wanted: number of images that the imbalance rule asks for in each class, [C], less those
            for validation.
        notes: sentences for the user.
    """

    train: Indices
    validation: Indices
    wanted: list[int]
    notes: tuple[str, ...] = ()


def training_subset(
    data: Data, imbalance: Imbalance, labels: Indices, classes: tuple[str, ...]
) -> TrainingSubset:
    """Choose the training images by the imbalance rule, or by a file of positions.

    Args:
        data: configuration of the data.
        imbalance: imbalance rule.
        labels: class numbers of the training images of the source, int64 [N].
        classes: names of the classes.

    Raises:
        UserError: a class would have no training image, or the file of positions is wrong.
    """
    # Numbers of training images by the imbalance rule, as far as the source has them.
    wanted = wanted_counts(imbalance, len(labels), len(classes))
    by_rule = class_counts(wanted, labels, len(classes))
    if data.indices is None:
        kept, validation = subset_indices(labels, by_rule, data.subset_seed), None
    else:
        kept, validation = read_indices(data.indices, len(labels))
    counts = class_counts(None, labels[kept], len(classes))
    if 0 in counts:
        cure = "choose a larger factor" if data.indices is None else "take another file"
        raise UserError(
            f"{_origin(data, imbalance)} leaves class {classes[counts.index(0)]} without a "
            f"training image (of {len(labels) // len(classes)} per class): {cure}"
        )
    asked = counts if wanted is None or data.indices is not None else wanted
    notes = () if counts == by_rule else (_other_sizes(data, imbalance),)
    if data.validation is None and validation is not None:
        return TrainingSubset(kept, validation, asked, notes)
    positions = validation_positions(labels[kept], data.validation or 0.0, data.split_seed)
    taken = class_counts(None, labels[kept[positions]], len(classes))
    return TrainingSubset(
        train=np.delete(kept, positions),
        validation=kept[positions],
        wanted=[number - less for number, less in zip(asked, taken, strict=True)],
        notes=notes,
    )


def _other_sizes(data: Data, imbalance: Imbalance) -> str:
    """Return the note on a file whose class sizes are not those of the imbalance rule."""
    return (
        f"the classes of the images in {data.indices} have other sizes than imbalance="
        f"{imbalance.name} gives them"
    )


def _origin(data: Data, imbalance: Imbalance) -> str:
    """Return the setting that decides which images are kept."""
    return f"imbalance={imbalance.name}" if data.indices is None else f"data.indices={data.indices}"


def validation_positions(labels: Indices, share: float, seed: int) -> Indices:
    """Draw a share of each class, rounded, but never all of its images; int64 [M], sorted.

    Args:
        labels: class numbers of the images, int64 [N].
        share: share of the images, in [0, 1).
        seed: seed of the choice within each class.
    """
    generator = np.random.RandomState(seed)
    drawn = [np.zeros(0, np.int64)]
    for label in np.unique(labels):
        positions = np.where(labels == label)[0]
        # At least one image of each class that can spare it: else its accuracy is not known.
        wished = max(1, round(share * len(positions))) if share else 0
        chosen = generator.permutation(len(positions))[: min(wished, len(positions) - 1)]
        drawn.append(positions[chosen])
    return np.sort(np.concatenate(drawn))


def write_indices(path: Path, train: Indices, validation: Indices) -> None:
    """Write positions of training images as JSON, with the checksum that runs report.

    Args:
        path: path of the file.
        train: positions of the images that are learned from, int64 [N].
        validation: positions of the images for validation, int64 [M]; they are left out of `train`.
    """
    content = {
        "checksum": checksum(train),
        "train": train.tolist(),
        "validation": validation.tolist(),
    }
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")


def read_indices(file: str, images: int) -> tuple[Indices, Indices | None]:
    """Read positions of training images, in the order in which they are kept, int64 [N].

    The file is JSON with a list, or with the entries of `write_indices`, of which only `train` is
    needed; an array of NumPy (`.npy`); or a text with one number on a line, as repositories of
    long-tailed methods publish them.

    Args:
        file: path of the file.
        images: number of training images of the source.

    Returns:
        Positions of the training images, and of those for validation; None if the file has none.

    Raises:
        UserError: the file cannot be read, or its numbers are no positions of images.
    """
    path = expanded("data.indices", file)
    try:
        content = _content(path)
        train, validation = (_integers(content.get(key, [])) for key in ("train", "validation"))
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"data.indices={file} cannot be read ({reason}): give JSON with a list of numbers, a "
            ".npy file, or a text with one number on a line"
        ) from error
    if not len(train):
        raise UserError(f"data.indices={file} has no list of numbers: give one number an image")
    both = np.concatenate([train, validation])
    outside = both[(both < 0) | (both >= images)]
    if len(outside):
        raise UserError(
            f"data.indices={file} has the number {outside[0]}, but the training images have the "
            f"numbers 0 to {images - 1}: is it of another data set?"
        )
    if len(np.unique(both)) < len(both):
        raise UserError(f"data.indices={file} names an image twice: name each at most once")
    if content.get("checksum", checksum(train)) != checksum(train):
        raise UserError(
            f"data.indices={file} was changed: its checksum is not that of its numbers; remove the "
            "entry checksum if that is meant"
        )
    return train, validation if len(validation) else None


def _content(path: Path) -> dict[str, Any]:
    """Return the entries of a file of positions; a mere list is the entry `train`."""
    if path.suffix == ".npy":
        return {"train": np.load(path)}
    if path.suffix != ".json":
        return {"train": np.loadtxt(path, dtype=np.int64, ndmin=1)}
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {"train": content}


def _integers(numbers: Any) -> Indices:  # noqa: ANN401 - whatever a file holds
    """Return numbers as int64 [N].

    Raises:
        ValueError, TypeError: they are no list of integers.
    """
    array = np.asarray(numbers)
    if array.ndim != 1:
        raise ValueError("its numbers are not in one list")
    if not len(array):
        return np.zeros(0, np.int64)
    return array.astype(np.int64, casting="same_kind")
