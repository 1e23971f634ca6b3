"""Classification data sets that torchvision downloads and verifies."""

from __future__ import annotations

import difflib
import lzma
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError

from ltnas.data.listing import EncodedImage, EncodedImages, Listing
from ltnas.data.sources.labels import numbered
from ltnas.data.sources.torchvision_files import files_of
from ltnas.errors import UserError

Arguments = Mapping[str, object]
"""Arguments of a class of torchvision that choose one split."""


def _split(train: str = "train", test: str = "test", validation: str = "") -> dict[str, Arguments]:
    """Return the splits of a class whose argument `split` is a text."""
    named = {"train": train, "validation": validation, "test": test}
    return {split: {"split": name} for split, name in named.items() if name}


BOOLEAN: dict[str, Arguments] = {"train": {"train": True}, "test": {"train": False}}
WHOLE: dict[str, Arguments] = {"train": {}}
"""No split: some of the images are held out as test images."""

SETS: dict[str, dict[str, Arguments]] = {
    **dict.fromkeys(("CIFAR10", "CIFAR100", "FashionMNIST", "KMNIST", "MNIST", "USPS"), BOOLEAN),
    **dict.fromkeys(("Caltech101", "Caltech256", "EuroSAT", "SEMEION", "SUN397"), WHOLE),
    **dict.fromkeys(("Food101", "GTSRB", "STL10", "SVHN"), _split()),
    **dict.fromkeys(
        ("DTD", "FGVCAircraft", "Flowers102", "PCAM", "RenderedSST2"), _split(validation="val")
    ),
    "Country211": _split(validation="valid"),
    "EMNIST": {split: {"split": "balanced", **arguments} for split, arguments in BOOLEAN.items()},
    "Imagenette": _split(test="val"),
    "OxfordIIITPet": _split("trainval"),
    "Places365": {
        split: {**arguments, "small": True}
        for split, arguments in _split("train-standard", "val").items()
    },
}
"""Arguments of each split by the name of the class in `torchvision.datasets`."""

DAMAGED = (
    *(RuntimeError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError),
    *(zipfile.BadZipFile, tarfile.TarError, pickle.UnpicklingError),
)
"""Errors of torchvision's classes if files are missing or damaged."""
LABELS = ("targets", "labels", "_labels", "y")
"""Attributes in which torchvision's classes keep their labels."""


def list_torchvision(name: str, folder: Path) -> Listing:
    """Download a data set unless it is there, and list its images.

    Args:
        name: name of a class in `torchvision.datasets`, one of `SETS`.
        folder: folder of the files.

    Raises:
        UserError: the name is unknown, or the data set cannot be downloaded or is damaged.
    """
    if name not in SETS:
        by_lower = {known.lower(): known for known in SETS}
        close = difflib.get_close_matches(name.lower(), by_lower, n=1)
        hint = f"did you mean data.name={by_lower[close[0]]}? " if close else ""
        raise UserError(
            f"data.name={name} is not known: {hint}choose one of {', '.join(sorted(SETS))}"
        )
    parts = {split: _load(name, folder, arguments) for split, arguments in SETS[name].items()}
    texts = {split: [str(int(label)) for label in _labels(part)] for split, part in parts.items()}
    classes, labels = numbered(texts)
    splits = {
        split: EncodedImages(labels[split], partial(_images, name, split, part))
        for split, part in parts.items()
    }
    files = {file: None for part in parts.values() for file in files_of(part, folder)}
    return Listing(_names(parts["train"], classes), splits, list(files))


def _load(name: str, folder: Path, arguments: Arguments) -> Any:  # noqa: ANN401 - has no types
    """Return one split of a data set of torchvision."""
    import torchvision.datasets

    make: Callable[..., Any] = getattr(torchvision.datasets, name)
    try:
        return make(str(folder), download=True, **arguments)
    except (URLError, TimeoutError, ConnectionError) as error:
        raise UserError(
            f"{name} cannot be downloaded ({getattr(error, 'reason', error)}): copy its files into "
            f"{folder}, as torchvision.datasets.{name} has them"
        ) from error
    except ImportError as error:
        raise UserError(f"{name} needs a package that is not there: {error}") from error
    except DAMAGED as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{name} in {folder} cannot be read ({reason}): delete its files to download them again"
        ) from error


def _labels(part: Any) -> Sequence[Any]:  # noqa: ANN401
    """Return the label of each image, without decoding images where the class keeps the labels."""
    for attribute in LABELS:
        labels = getattr(part, attribute, None)
        if labels is not None and len(labels) == len(part):
            return list(labels)
    samples = getattr(part, "_samples", None)
    if samples is not None:
        return [label for _, label in samples]
    if hasattr(part, "h5py"):
        return _pcam_labels(part)
    return [part[position][1] for position in range(len(part))]


def _pcam_labels(part: Any) -> Sequence[Any]:  # noqa: ANN401
    """Return the labels of PCAM, which its class reads one by one together with the images."""
    path = part._base_folder / part._FILES[part._split]["targets"][0]
    try:
        with part.h5py.File(path) as file:
            return list(file["y"][:, 0, 0, 0])
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): delete it to download it again"
        ) from error


def _names(part: Any, numbers: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ANN401
    """Return the names of the classes, or their numbers if the data set does not name them."""
    names = getattr(part, "classes", getattr(part, "categories", None))
    if names is None:
        return numbers
    # Places and others keep the classes as paths or as several synonyms.
    texts = [", ".join(name) if isinstance(name, tuple) else str(name) for name in names]
    return tuple(texts[int(number)] if int(number) < len(texts) else number for number in numbers)


def _images(name: str, split: str, part: Any) -> Iterator[EncodedImage]:  # noqa: ANN401
    """Yield the images of one split."""
    for position in range(len(part)):
        yield EncodedImage(f"{name} {split} image {position}", partial(_image, part, position))


def _image(part: Any, position: int) -> Any:  # noqa: ANN401
    return part[position][0]
