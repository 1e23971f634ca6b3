"""Files of decoded images: written in parts, and read without loading all of them.

A file has the format of safetensors. That library writes whole tensors from memory; these files are
written image by image, and their images are mapped into memory when they are needed.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import torch

from ltnas.data.decode import decode
from ltnas.data.images import LabelledImages
from ltnas.data.listing import SPLITS, EncodedImages, Listing
from ltnas.data.rgb import GreyRange
from ltnas.data.stored_images import StoredImages

Labels = np.ndarray[Any, np.dtype[np.int64]]
PARTIAL = ".partial"
"""Ending of files that are being written, or were when their process was killed."""
LENGTH_BYTES = 8
"""Number of bytes at the beginning of a file that hold the length of its header."""


class NotStored(Exception):
    """The decoded images could not be written; the text says why."""


class DecodedImages(NamedTuple):
    """Decoded images of a data set.

    Args:
        parts: images of each split by its name.
        skipped: names of the images that could not be read.
        grey_range: values of images of more than 8 bits that became 0 and 255; None if there are
            no such images.
    """

    parts: dict[str, LabelledImages]
    skipped: tuple[str, ...]
    grey_range: GreyRange | None = None


def read_decoded(path: Path) -> DecodedImages:
    """Open a file of decoded images; the pixels stay on the disk.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not complete, or of another kind.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        size = path.stat().st_size
        if not 0 < length <= size:
            raise ValueError("the length of the header is wrong")
        header = json.loads(file.read(length))
    if not isinstance(header, dict) or "skipped" not in header:
        raise ValueError("the file is of another kind")
    start = LENGTH_BYTES + length
    if start + max(entry["data_offsets"][1] for entry in header.values()) != size:
        raise ValueError("the file is not complete")

    def array(name: str, kind: type) -> np.ndarray[Any, Any]:
        first, end = header[name]["data_offsets"]
        count = (end - first) // np.dtype(kind).itemsize
        return np.fromfile(path, kind, count, offset=start + first)

    parts = {
        split: LabelledImages(
            StoredImages(
                path,
                start + header[f"{split}.images"]["data_offsets"][0],
                tuple(header[f"{split}.images"]["shape"]),
            ),
            torch.from_numpy(array(f"{split}.labels", np.int64)),
        )
        for split in SPLITS
        if f"{split}.images" in header
    }
    skipped = json.loads(array("skipped", np.uint8).tobytes())
    low, high = array("grey_range", np.int64) if "grey_range" in header else (None, None)
    grey_range = None if low is None or high is None else (int(low), int(high))
    return DecodedImages(parts, tuple(skipped), grey_range)


def write_decoded(
    path: Path,
    listing: Listing,
    size: int | None,
    broken: str,
    grey_range: GreyRange | None = None,
) -> None:
    """Decode all images and write them to a file, which appears when it is complete.

    Args:
        path: path of the file.
        listing: images to decode.
        size: see `decode`.
        broken: see `decode`.
        grey_range: see `decode`.

    Raises:
        UserError: see `decode`.
        NotStored: the file cannot be written.
    """
    # Written under a name of its own and renamed, so that no reader ever sees an incomplete file.
    # Not the number of the process: containers that share a folder have equal ones.
    partial = path.parent / f"{path.name}.{uuid.uuid4().hex}{PARTIAL}"
    try:
        with _as_not_stored(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _check_space(path.parent, listing, size)
            file = partial.open("wb")
        with file:
            _Writer(file, path, listing).write(listing, size, broken, grey_range)
        with _as_not_stored(path):
            partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink()


@contextmanager
def _as_not_stored(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the file system into `NotStored`."""
    try:
        yield
    except OSError as error:
        raise NotStored(f"{path}: {error}") from error


def _check_space(folder: Path, listing: Listing, size: int | None) -> None:
    """Raise `OSError` if the disk has no room for all images of a given size."""
    count = sum(len(part.labels) for part in listing.splits.values())
    needed, free = count * 3 * (size or 0) ** 2, shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free")


class _Writer:
    """Writer of one file.

    Args:
        file: file to write to.
        path: final path of the file, for messages.
        listing: images that will be written.
    """

    def __init__(self, file: IO[bytes], path: Path, listing: Listing) -> None:
        self.file, self.path = file, path
        self.entries: dict[str, dict[str, Any]] = {}
        # The header comes first and is written last. None of its numbers has more than 20 digits.
        self.header_bytes = 512 + 512 * len(listing.splits)
        self.end = 0  # number of bytes behind the header
        self._write(bytes(LENGTH_BYTES + self.header_bytes))

    def write(
        self, listing: Listing, size: int | None, broken: str, grey_range: GreyRange | None
    ) -> None:
        """Decode and write all images."""
        decoded = {
            split: self._write_images(split, listing.splits[split], size, broken, grey_range)
            for split in SPLITS
            if split in listing.splits
        }
        first, skipped = self.end, [name for _, names in decoded.values() for name in names]
        self._append(np.frombuffer(json.dumps(skipped).encode(), np.uint8))
        # Spaces are allowed at the end of JSON, and align the numbers behind it.
        self._append(np.full(-self.end % 8, ord(" "), np.uint8))
        self._enter("skipped", "U8", (self.end - first,), first)
        for split, (labels, _) in decoded.items():
            first = self.end
            self._append(labels)
            self._enter(f"{split}.labels", "I64", labels.shape, first)
        if grey_range is not None:
            first, values = self.end, np.asarray(grey_range, np.int64)
            self._append(values)
            self._enter("grey_range", "I64", values.shape, first)
        header = json.dumps(self.entries).encode().ljust(self.header_bytes)
        with _as_not_stored(self.path):
            self.file.seek(0)
        self._write(len(header).to_bytes(LENGTH_BYTES, "little") + header)

    def _write_images(
        self,
        split: str,
        part: EncodedImages,
        size: int | None,
        broken: str,
        grey_range: GreyRange | None,
    ) -> tuple[Labels, list[str]]:
        """Write the images of a split that can be read; return their labels, and other names."""
        first, shape = self.end, torch.Size((0, 3, 0, 0))
        skipped: list[str] = []
        # Allocated before: small blocks between the large ones of each part would keep the
        # allocator from using the memory of a part for the next one.
        read, done = np.zeros(len(part.labels), bool), 0
        for piece in decode(part.read(), size, broken, grey_range):
            if len(piece.images):
                shape = piece.images.shape
                self._append(piece.images.numpy())
            read[done : done + len(piece.read)] = piece.read
            done += len(piece.read)
            skipped.extend(piece.skipped)
        labels = np.asarray(part.labels, np.int64)[read]
        self._enter(f"{split}.images", "U8", (len(labels), *shape[1:]), first)
        return labels, skipped

    def _append(self, values: np.ndarray[Any, Any]) -> None:
        contiguous = np.ascontiguousarray(values)
        self._write(contiguous.reshape(-1).view(np.uint8).data)
        self.end += contiguous.nbytes

    def _enter(self, name: str, kind: str, shape: tuple[int, ...], first: int) -> None:
        """Add a tensor to the header whose data begin at `first` and end here."""
        offsets = [first, self.end]
        self.entries[name] = {"dtype": kind, "shape": list(shape), "data_offsets": offsets}

    def _write(self, content: bytes | memoryview) -> None:
        with _as_not_stored(self.path):
            self.file.write(content)
