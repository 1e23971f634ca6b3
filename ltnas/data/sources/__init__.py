"""Sources of images; each module has one function that gives a `Source`."""

from __future__ import annotations

from ltnas.config import Data
from ltnas.data.images import Source
from ltnas.data.sources.cifar10 import load_cifar10
from ltnas.data.sources.digits import load_digits
from ltnas.data.sources.folder import load_folder
from ltnas.data.sources.parquet import load_parquet
from ltnas.errors import UserError
from ltnas.runs.user_cache import cache_folder


def load_source(data: Data) -> Source:
    """The images that `data` names.

    Raises:
        UserError: the files are missing, broken, or of fewer than two classes.
    """
    cache = cache_folder(data.cache)
    match data.source:
        case "cifar10":
            source = load_cifar10(data.root, data.image_size, cache)
        case "cifar10_parquet":
            source = load_parquet(str(data.root), data.image_size, cache)
        case "folder":
            source = load_folder(str(data.root), data.image_size, cache)
        case _:
            source = load_digits(data.image_size)
    if len(source.classes) < 2:
        raise UserError(
            f"data={data.source} has one class only ({source.classes[0]}): there is nothing to "
            "tell apart; give it two classes or more"
        )
    _check(data.source, source)
    return source


def _check(name: str, source: Source) -> None:
    """Raise `UserError` unless every class can be trained on and the images fit together."""
    counts = source.train.labels.bincount(minlength=len(source.classes))
    if not counts.all():
        missing = source.classes[int(counts.argmin())]
        raise UserError(
            f"data={name} has no training image of class {missing}: add one or take the class away"
        )
    if not len(source.test.labels):
        raise UserError(
            f"data={name} has no test image: give a class two images or more, of which one is then "
            "held out, or a folder test beside train"
        )
    shapes = [part.images.shape for part in (source.train, source.test)]
    if shapes[0][2:] != shapes[1][2:]:
        train, test = (f"{shape[3]}x{shape[2]}" for shape in shapes)
        raise UserError(
            f"training images are {train}, test images {test}: add data.image_size=32, or larger"
        )
