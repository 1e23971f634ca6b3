"""Cache of decoded images on disk, so that later runs start without decoding."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ltnas.data.images import LabelledImages, Source
from ltnas.errors import UserError


def files_key(files: Iterable[Path], **settings: object) -> str:
    """Return a key that changes with the path, size or modification time of any file.

    Args:
        files: files that the cached value is made from.
        settings: further values that the cached value depends on; they change the key, too.

    Raises:
        UserError: a file cannot be reached, for example a broken symbolic link.
    """
    # Symbolic links are not resolved: the folder of a link determines the class of the image, and
    # several links may point to the same file.
    parts = []
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise UserError(
                f"{file} cannot be read ({error.strerror}): replace or remove it"
            ) from error
        parts.append((str(file.absolute()), status.st_size, status.st_mtime_ns))
    text = json.dumps([parts, sorted(settings.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def cached(folder: Path, name: str, key: str, decode: Callable[[], Source]) -> Source:
    """Return the source cached under `name` and `key`; on a miss, call `decode` and store it.

    An unreadable cache file is replaced. If the cache cannot be written, a note is printed and the
    decoded source is returned without being stored.

    Args:
        folder: cache folder; created if it is missing.
        name: name of the kind of source, the first part of the file name.
        key: result of `files_key`, the second part of the file name.
        decode: function that decodes the images.
    """
    path = folder / f"{name}-{key}.safetensors"
    try:
        return _read(path)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        source = decode()
    try:
        _write(path, source)
    except (OSError, SafetensorError) as error:
        print(f"note: the decoded images could not be cached for the next run ({path}: {error})")
    return source


def _read(path: Path) -> Source:
    with safe_open(path, framework="pt") as file:
        classes = tuple(json.loads(file.metadata()["classes"]))
        train, test = (
            LabelledImages(file.get_tensor(f"{part}.images"), file.get_tensor(f"{part}.labels"))
            for part in ("train", "test")
        )
    return Source(train, test, classes)


def _write(path: Path, source: Source) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{part}.{field}": getattr(getattr(source, part), field).contiguous()
        for part in ("train", "test")
        for field in ("images", "labels")
    }
    # Written under a temporary name of this process and renamed, so that no reader ever sees an
    # incomplete file.
    partial = path.parent / f"{path.name}.{os.getpid()}.partial"
    try:
        save_file(tensors, partial, {"classes": json.dumps(source.classes)})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
