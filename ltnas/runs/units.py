"""Numbers with their units, as text for people."""

from __future__ import annotations


def duration(seconds: float | None) -> str:
    """Return seconds as `1 h 05 min`, `5.2 min` or `12 s`; - if they are not known."""
    if seconds is None:
        return "-"
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def millions(value: float | None) -> str:
    """Return a number in millions with two decimals; - if it is not known."""
    return "-" if value is None else f"{value / 1e6:.2f}"
