"""Console that prints every text as it is."""

from __future__ import annotations

from rich.console import Console


def plain_console(*, quiet: bool = False, stderr: bool = False) -> Console:
    """Return a console without markup, emoji codes or highlighting.

    Names of classes and paths are data, and may contain `[red]` or `:dog:`, which rich would take
    for a style and a picture.

    Args:
        quiet: print nothing.
        stderr: write to stderr instead of stdout.
    """
    return Console(quiet=quiet, stderr=stderr, markup=False, emoji=False, highlight=False)
