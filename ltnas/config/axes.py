"""All axes of the commands, collected from the fields of their configurations."""

from __future__ import annotations

from dataclasses import fields

from ltnas.config.axis import Table, table_of
from ltnas.config.retrain import RetrainConfig
from ltnas.config.search import SearchConfig

AXES: dict[str, Table] = {
    declared.name: table
    for schema in (SearchConfig, RetrainConfig)
    for declared in fields(schema)
    if (table := table_of(declared)) is not None
}
"""Table of values of each axis, by the axis's name on the command line."""
