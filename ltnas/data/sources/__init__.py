"""Sources of images: one module per source, each with a function that returns a `Source`."""

from __future__ import annotations

from collections import Counter

from ltnas.config import Data
from ltnas.data.images import Source
from ltnas.data.sources.cifar10 import load_cifar10
from ltnas.data.sources.digits import load_digits
from ltnas.data.sources.folder import load_folder
from ltnas.data.sources.parquet import load_parquet
from ltnas.errors import UserError
from ltnas.runs.user_paths import cache_folder


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
            source = load_cifar10(data.root, data.image_size, cache)
        case "cifar10_parquet":
            source = load_parquet(str(data.root), data.image_size, cache)
        case "folder":
            source = load_folder(str(data.root), data.image_size, cache)
        case "digits":
            source = load_digits(data.image_size)
        case name:
            raise ValueError(f"{name} is not a value on the data axis")
    _check(data.source, source)
    return source


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
    shapes = [part.images.shape for part in (source.train, source.test)]
    if shapes[0][2:] != shapes[1][2:]:
        train, test = (f"{shape[3]}x{shape[2]}" for shape in shapes)
        raise UserError(
            f"training images are {train} pixels, test images {test}: scale them to one size, for "
            "example with data.image_size=32"
        )
