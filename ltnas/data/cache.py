"""Cache of decoded images on disk, so that later runs start without decoding."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from ltnas.data.decode import decode
from ltnas.data.decoded_file import (
    PARTIAL,
    DecodedImages,
    NotStored,
    read_decoded,
    write_decoded,
)
from ltnas.data.grey_range import measured_range
from ltnas.data.images import LabelledImages
from ltnas.data.listing import Listing
from ltnas.data.rgb import DeepImage, GreyRange
from ltnas.errors import UserError
from ltnas.runs.locks import waiting_lock

FORMAT = 4
"""Number of the rules by which images are decoded and stored; other numbers are not read."""


def listing_key(listing: Listing, **settings: object) -> str:
    """Return a key that changes with the path, size or modification time of any file.

    It changes with the class numbers, too, which depend on more than the files.

    Args:
        listing: images of the data set.
        settings: further values that the decoded images depend on.

    Raises:
        UserError: a file cannot be reached, for example a broken symbolic link.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, sorted(settings.items())]).encode())
    # Symbolic links are not resolved: the folder of a link determines the class of the image, and
    # several links may point to the same file.
    for file in listing.files:
        try:
            status = file.stat()
        except OSError as error:
            raise UserError(
                f"{file} cannot be read ({error.strerror}): replace or remove it"
            ) from error
        # Names of files are bytes, which need not be text.
        digest.update(os.fsencode(file.absolute()))
        digest.update(f" {status.st_size} {status.st_mtime_ns}\n".encode())
    for split, part in listing.splits.items():
        digest.update(split.encode() + np.asarray(part.labels, np.int64).tobytes())
    return digest.hexdigest()[:20]


def decoded_images(
    listing: Listing, cache: Path, name: str, size: int | None, broken: str
) -> DecodedImages:
    """Return the decoded images of a listing, from the cache if it has them.

    An unreadable cache file is replaced. If the cache cannot be written, a note is printed and the
    images are kept in memory.

    Args:
        listing: images of the data set.
        cache: cache folder; created if it is missing.
        name: name of the kind of source, the first part of the file name.
        size: see `decode`.
        broken: see `decode`.

    Raises:
        UserError: see `decode`.
    """
    key = listing_key(listing, size=size, broken=broken)
    path = cache / f"{name}-{key}.safetensors"
    stored = _read(path)
    if stored is not None:
        return stored
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    # Of several processes that need the same images, such as the ranks of a run, one decodes them.
    with waiting_lock(cache / f".{path.name}.lock") as held:
        stored = _read(path)
        if stored is not None:
            return stored
        if held:  # what processes have left that were killed
            for partial in cache.glob(f"{path.name}.*{PARTIAL}"):
                partial.unlink(missing_ok=True)
        try:
            return _decode(listing, path, size, broken, None)
        except DeepImage:  # only such data sets are read twice
            return _decode(listing, path, size, broken, measured_range(listing))


def _read(path: Path) -> DecodedImages | None:
    """Return the content of a file of the cache; None if there is none that can be read."""
    try:
        return read_decoded(path)
    except (OSError, ValueError):
        return None


def _decode(
    listing: Listing, path: Path, size: int | None, broken: str, grey_range: GreyRange | None
) -> DecodedImages:
    """Decode all images to a file, or in memory if the file cannot be written."""
    try:
        write_decoded(path, listing, size, broken, grey_range)
        return read_decoded(path)
    except NotStored as error:
        print(f"note: the decoded images could not be cached for the next run ({error})")
    return _in_memory(listing, size, broken, grey_range)


def _in_memory(
    listing: Listing, size: int | None, broken: str, grey_range: GreyRange | None
) -> DecodedImages:
    """Decode all images and keep them in memory."""
    skipped: list[str] = []
    parts = {}
    for split, part in listing.splits.items():
        decoded = list(decode(part.read(), size, broken, grey_range))
        images = [piece.images for piece in decoded if len(piece.images)]
        read = torch.cat([torch.zeros(0, dtype=torch.bool), *(piece.read for piece in decoded)])
        skipped.extend(name for piece in decoded for name in piece.skipped)
        parts[split] = LabelledImages(
            torch.cat(images) if images else torch.zeros(0, 3, 0, 0, dtype=torch.uint8),
            torch.as_tensor(part.labels, dtype=torch.int64)[read],
        )
    return DecodedImages(parts, tuple(skipped), grey_range)
