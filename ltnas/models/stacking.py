"""Which tensors of a supernet with one module an operation and edge make up a stacked one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ltnas.space.layout import edges

STACKED = re.compile(r"(?:supernet\.)?(cells\.\d+)\.sources\.(\d+)\.candidates\.(\w+)\.(.+)")


def plain_names(name: str, operations: Sequence[str], nodes: int) -> list[str]:
    """The plain tensors, one an edge, that a stacked one stands for; else the name itself."""
    found = STACKED.fullmatch(name)
    if found is None:
        return [name.removeprefix("supernet.")]
    cell, state, operation, rest = found.groups()
    column, inner = operations.index(operation), _inner(operation, rest)
    return [
        f"{cell}.mixed.{row}.operations.{column}.{inner}"
        for row, (_, source) in enumerate(edges(nodes))
        if source == int(state)
    ]


def _inner(operation: str, rest: str) -> str:
    """The name of a stacked tensor within its operation, as the plain operation has it."""
    if "pool" in operation:
        return rest.replace("norm.", "1.")
    if operation == "skip_connect":
        return rest.replace("norm.", "bn.") if "norm." in rest else f"{rest}.weight"
    _, unit, part, *buffer = rest.split(".")
    place = 4 * int(unit) + {"depthwise": 1, "pointwise": 2, "norm": 3}[part]
    return f"{place}.{buffer[0] if buffer else 'weight'}"


def stack(plain: Mapping[str, Tensor], names: Mapping[str, Sequence[str]]) -> dict[str, Tensor]:
    """Stacked tensors, for the names of each its plain ones."""
    return {
        name: plain[parts[0]] if _alike(name) else torch.cat([plain[part] for part in parts])
        for name, parts in names.items()
    }


def plain_shape(name: str, shape: torch.Size, edges: int) -> torch.Size:
    """Of each of the plain tensors that a stacked one stands for."""
    return shape if _alike(name) else torch.Size((shape[0] // edges, *shape[1:]))


def _alike(name: str) -> bool:
    """Whether the plain tensors are equal, so that one stands for all: pools have no weights."""
    return STACKED.fullmatch(name) is None or "_pool_" in name or name.endswith("batches_tracked")
