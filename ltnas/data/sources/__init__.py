"""Sources of images: one module per source, each with a function that returns a `Source`."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

from ltnas.config import Data
from ltnas.config.data import decoded_size
from ltnas.data.cache import decoded_images
from ltnas.data.equal_images import notes_on_equal_images
from ltnas.data.images import Source
from ltnas.data.listing import Listing
from ltnas.data.rgb import GreyRange
from ltnas.data.sources.cifar10 import load_cifar10
from ltnas.data.sources.digits import load_digits
from ltnas.data.sources.folder import list_folder
from ltnas.data.sources.hub import downloaded
from ltnas.data.sources.lists import list_lists
from ltnas.data.sources.npz import list_npz
from ltnas.data.sources.parquet import list_cifar10_parquet, list_parquet
from ltnas.data.sources.torchvision_sets import list_torchvision
from ltnas.data.splits import complete
from ltnas.errors import UserError
from ltnas.runs.user_paths import cache_folder, expanded


def load_source(data: Data) -> Source:
    """Load the data set that the configuration names.

    Raises:
        UserError: files are missing or broken, there are fewer than two classes, two classes have
            one name, a class has no training image, there is no test image, or image sizes differ.
        ValueError: the name of the source is unknown.
    """
    cache = cache_folder(data.cache)
    match data.source:
        case "cifar10":
            source = load_cifar10(data.root, decoded_size(data), cache)
        case "digits":
            source = load_digits(decoded_size(data))
        case _:
            source = _decoded(data, list_images(data), cache)
    _check(data.source, source)
    notes = source.notes + notes_on_equal_images(source.train, source.classes)
    return dataclasses.replace(source, notes=notes)


def list_images(data: Data) -> Listing:
    """List the images of a data set of encoded images, without decoding them.

    Raises:
        UserError: see the function of the source.
        ValueError: the name of the source is unknown.
    """
    match data.source:
        case "cifar100":
            return list_torchvision("CIFAR100", _download_folder(data))
        case "cifar10_parquet":
            return list_cifar10_parquet(expanded("data.root", str(data.root)), data.label)
        case "folder":
            return list_folder(str(data.root))
        case "list":
            return list_lists(data)
        case "npz":
            return list_npz(str(data.root))
        case "parquet":
            return list_parquet(_table_folder(data), data.label)
        case "torchvision":
            return list_torchvision(str(data.name), _download_folder(data))
        case name:
            raise ValueError(f"{name} is not a value on the data axis")


def _download_folder(data: Data) -> Path:
    """Return the folder for what torchvision downloads."""
    if data.root is not None:
        return expanded("data.root", data.root)
    return cache_folder(data.cache) / "torchvision"


def _table_folder(data: Data) -> Path:
    """Return the folder of tables, downloaded if the data set is one of the hub."""
    if data.hub is not None:
        return downloaded(data.hub)
    return expanded("data.root", str(data.root))


def _decoded(data: Data, listing: Listing, cache: Path) -> Source:
    """Decode the images of a listing, unless the cache has them."""
    decoded = decoded_images(
        listing,
        cache=cache,
        name="-".join(filter(None, (data.source, data.name))),
        size=decoded_size(data),
        broken=data.broken,
    )
    notes = listing.notes + _note_on_range(decoded.grey_range)
    source = complete(decoded.parts, listing.classes, notes, data.split_seed)
    return dataclasses.replace(source, skipped=decoded.skipped, grey_range=decoded.grey_range)


def _note_on_range(grey_range: GreyRange | None) -> tuple[str, ...]:
    """Return the note that images of more than 8 bits were scaled, if there are any."""
    if grey_range is None:
        return ()
    low, high = grey_range
    return (
        f"images have more than 8 bits: grey values from {low:,} to {high:,}, the range of the "
        "training images, were scaled to 0 to 255",
    )


def _check(name: str, source: Source) -> None:
    """Raise `UserError` unless the source can be trained and tested on."""
    if len(source.classes) < 2:
        raise UserError(
            f"data={name} has only one class ({source.classes[0]}): classification needs at least "
            "two"
        )
    name_of_two = next((name for name, n in Counter(source.classes).items() if n > 1), None)
    if name_of_two is not None:
        numbers = [i for i, other in enumerate(source.classes) if other == name_of_two]
        raise UserError(
            f"data={name} has {len(numbers)} classes with the name {name_of_two!r} (numbers "
            f"{', '.join(map(str, numbers))}): give each class a name of its own"
        )
    counts = source.train.labels.bincount(minlength=len(source.classes))
    if not counts.all():
        missing = source.classes[int(counts.argmin())]
        raise UserError(
            f"data={name} has no training image of class {missing}: add one or remove the class"
        )
    if not len(source.test.labels):
        raise UserError(
            f"data={name} has no test image: add a folder `test` beside `train`, or a second image "
            "to a class, of which one is then held out"
        )
    sizes = {name: part.size for name, part in source.parts.items()}
    for name, (height, width) in sizes.items():
        if (height, width) != source.train.size:
            train = "{1}x{0}".format(*source.train.size)
            raise UserError(
                f"training images are {train} pixels, {name} images {width}x{height}: scale them "
                "to one size, for example with data.image_size=32"
            )
