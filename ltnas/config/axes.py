"""All axes of the commands, collected from the fields of their configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ltnas.config.retrain import RetrainConfig
from ltnas.config.search import SearchConfig

AXES: dict[str, Mapping[str, type[Any]]] = {
    field.name: field.metadata["values"]
    for schema in (SearchConfig, RetrainConfig)
    for field in fields(schema)
    if "values" in field.metadata
}
"""Table of values of each axis, by the axis's name on the command line."""
