"""Declaration of a configuration field that is an axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TypeVar

Value = TypeVar("Value")


def axis(values: Mapping[str, type[Value]], default: str) -> Value:
    """Return a dataclass field whose value is chosen by name.

    Args:
        values: table of the axis: the dataclass of each value by its command-line name.
        default: name of the value that a configuration has if it names none.
    """
    return field(default_factory=values[default], metadata={"values": values})
