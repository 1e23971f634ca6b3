"""Packages of the extras, which are imported only where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from ltnas.errors import UserError


def extra_package(name: str, extra: str) -> Any:  # noqa: ANN401 - a module
    """Import a package of an extra, and return it.

    Args:
        name: name of the module.
        extra: extra of this package that installs it.

    Raises:
        UserError: the package, or one that it needs, is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"the package {error.name} is not installed: pip install 'ltnas[{extra}]'"
        ) from error
