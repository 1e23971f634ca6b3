"""List of the images that could not be read, in the folder of a run."""

from __future__ import annotations

from ltnas.data.long_tail import LongTail
from ltnas.runs.folder import RunFolder

FILE = "skipped_images.txt"
"""Name of the list in the folder of a run, with one image on a line."""


def write_skipped(folder: RunFolder, *sets: LongTail | None) -> None:
    """Write the names of the images that were left out; no file if there are none.

    Args:
        folder: folder of the run.
        sets: data sets of the run.
    """
    names = [name for data in sets if data is not None for name in data.skipped]
    if not folder.writes:
        return
    if not names:  # an earlier result in the folder may have had some
        (folder.path / FILE).unlink(missing_ok=True)
        return
    text = "".join(f"{name}\n" for name in names)
    # Names of files are bytes, which need not be text.
    (folder.path / FILE).write_text(text, encoding="utf-8", errors="surrogateescape")
