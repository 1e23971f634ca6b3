"""Checks of values that raise one line: the key, its value and what to set instead."""

from __future__ import annotations

import os

from ltnas.errors import UserError


def require(condition: bool, message: str) -> None:
    """Raise `UserError(message)` unless the condition holds."""
    if not condition:
        raise UserError(message)


def require_seed(key: str, value: int) -> None:
    """Raise a `UserError` unless the value is a seed that every random generator accepts."""
    require(0 <= value < 2**32, f"{key}={value} must lie in [0, {2**32 - 1}]")


def require_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a `UserError` that lists the choices unless `value` is one of them."""
    require(value in choices, f"{key}={value} is not known: choose one of {', '.join(choices)}")


def paths_to_text(config: object, *names: str) -> None:
    """Replace paths in the named fields of a configuration by their texts."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, os.PathLike):
            setattr(config, name, os.fspath(value))
