"""Decoded images on disk, so that the second start takes a second."""

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
    """A key that changes with the path, size or time of any file, and with any setting.

    Raises:
        UserError: a file cannot be reached, such as a link to nothing.
    """
    # Paths keep their links: a link's folder tells the class, and several may lead to one file.
    parts = []
    for file in files:
        try:
            status = file.stat()
        except OSError as error:
            raise UserError(
                f"{file} cannot be read ({error.strerror}): replace it or take it away"
            ) from error
        parts.append((str(file.absolute()), status.st_size, status.st_mtime_ns))
    text = json.dumps([parts, sorted(settings.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def cached(folder: Path, name: str, key: str, decode: Callable[[], Source]) -> Source:
    """The source stored under `name` and `key`, else that of `decode()`, then stored.

    A cache that cannot be written is done without; one that cannot be read is made anew.
    """
    path = folder / f"{name}-{key}.safetensors"
    try:
        return _read(path)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        source = decode()
    try:
        _write(path, source)
    except (OSError, SafetensorError) as error:
        print(f"note: decoded images are not kept for the next start ({path}: {error})")
    return source


def _read(path: Path) -> Source:
    with safe_open(path, framework="pt") as file:
        classes = tuple(json.loads(file.metadata()["classes"]))
        parts = [
            LabelledImages(file.get_tensor(f"{part}.images"), file.get_tensor(f"{part}.labels"))
            for part in ("train", "test")
        ]
    return Source(parts[0], parts[1], classes)


def _write(path: Path, source: Source) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.parent / f"{path.name}.{os.getpid()}.partial"
    tensors = {
        f"{part}.{field}": getattr(getattr(source, part), field).contiguous()
        for part in ("train", "test")
        for field in ("images", "labels")
    }
    try:
        save_file(tensors, partial, {"classes": json.dumps(source.classes)})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
