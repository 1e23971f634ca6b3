"""Sources of images; each module has one function that gives a `Source`."""

from __future__ import annotations

from ltnas.config import Data
from ltnas.data.cache import cache_folder
from ltnas.data.images import Source
from ltnas.data.sources.cifar10 import load_cifar10
from ltnas.data.sources.digits import load_digits
from ltnas.data.sources.folder import load_folder
from ltnas.data.sources.parquet import load_parquet
from ltnas.errors import UserError


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
    return source
