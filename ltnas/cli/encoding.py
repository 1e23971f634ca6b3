"""Output on terminals and in files that cannot hold every character."""

from __future__ import annotations

import io
import sys


def print_everywhere() -> None:
    """Write characters that stdout and stderr cannot encode as escapes, instead of failing.

    In bare containers and cron jobs the encoding is ASCII, whereas names of classes and paths may
    have any characters.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def first_encodable(encoding: str, *texts: str) -> str:
    """Return the first of some texts that an encoding holds; the last one if there is none.

    Args:
        encoding: name of the encoding.
        texts: texts that mean the same, the best one first.
    """
    for text in texts:
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            continue
        return text
    return texts[-1]
