"""Declaration of a configuration field that is an axis, and the names of its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = TypeVar("Value")
Table = Mapping[str, type[Any]]
"""Values of an axis: the dataclass of each value by its command-line name."""


def axis(values: Mapping[str, type[Value]], default: str) -> Value:
    """Return a dataclass field whose value is chosen by name.

    Args:
        values: table of the axis.
        default: name of the value that a configuration has if it names none.
    """
    # The table travels with the field, so that command line, help and fingerprints need no other
    # list.
    return field(default_factory=values[default], metadata={"values": values})


def table_of(declared: Field[Any]) -> Table | None:
    """Return the table of values of a field that is an axis; None for any other field."""
    table: Table | None = declared.metadata.get("values")
    return table


def name_of(axis_name: str, table: Table, value: object) -> str:
    """Return the command-line name of a dataclass of the axis, or of an instance.

    Raises:
        TypeError: the table has no such value.
    """
    for name, kind in table.items():
        if kind in (value, type(value)):
            return name
    raise TypeError(f"{value} is not a value on the {axis_name} axis")


def choices(config: DataclassInstance) -> dict[str, str]:
    """Return the command-line name of the value that a configuration has on each axis."""
    return {
        declared.name: name_of(declared.name, table, getattr(config, declared.name))
        for declared in fields(config)
        if (table := table_of(declared)) is not None
    }
