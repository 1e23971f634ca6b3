"""Names and shapes by which stacked tensors correspond to those of separate edges.

A plain supernet, as in published checkpoints, has one module for each operation and edge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ltnas.models.sources import AUXILIARY_SKIP
from ltnas.space.layout import edges

STACKED = re.compile(r"(?:supernet\.)?(cells\.\d+)\.sources\.(\d+)\.candidates\.(\w+)\.(.+)")
"""Name of a stacked tensor: cell, state, operation, and the rest."""


def plain_names(name: str, operations: Sequence[str], nodes: int) -> list[str]:
    """Return the names in a plain supernet that a tensor's name corresponds to.

    Args:
        name: name of a tensor of `SearchNetwork`.
        operations: candidate operations in the order of the mixing weights' columns, with the
            auxiliary skip connection if there is one.
        nodes: number of intermediate nodes of a cell.

    Returns:
        One name for each edge of a stacked tensor; for any other tensor its own name.
    """
    match = STACKED.fullmatch(name)
    if match is None:
        return [name.removeprefix("supernet.")]
    cell, state, operation, rest = match.groups()
    # A plain mixed operation numbers its candidates by the columns of the mixing weights.
    column, inner = operations.index(operation), _inner_name(operation, rest)
    return [
        f"{cell}.mixed.{row}.operations.{column}.{inner}"
        for row, (_, source) in enumerate(edges(nodes))
        if source == int(state)
    ]


def _inner_name(operation: str, rest: str) -> str:
    """Return the name that a stacked tensor has within the plain operation."""
    if "pool" in operation:
        return rest.replace("norm.", "1.")
    if operation in ("skip_connect", AUXILIARY_SKIP):
        return rest.replace("norm.", "bn.") if "norm." in rest else f"{rest}.weight"
    # A plain unit is four modules in a row: ReLU, depthwise, pointwise, normalisation.
    _, unit, part, *buffer = rest.split(".")
    position = 4 * int(unit) + {"depthwise": 1, "pointwise": 2, "norm": 3}[part]
    return f"{position}.{buffer[0] if buffer else 'weight'}"


def stack(plain: Mapping[str, Tensor], names: Mapping[str, Sequence[str]]) -> dict[str, Tensor]:
    """Return the tensors of a stacked supernet.

    Args:
        plain: tensors of a plain supernet by name.
        names: for each stacked tensor's name, the names of its plain ones.
    """
    return {
        # [filters, ...] of each edge to [edges * filters, ...], in the order of the edges.
        name: plain[parts[0]] if _is_shared(name) else torch.cat([plain[part] for part in parts])
        for name, parts in names.items()
    }


def plain_shape(name: str, shape: torch.Size, edges: int) -> torch.Size:
    """Return the shape of each of the plain tensors that a stacked one corresponds to."""
    return shape if _is_shared(name) else torch.Size((shape[0] // edges, *shape[1:]))


def _is_shared(name: str) -> bool:
    """Return True if the tensor is the same for all edges, such as the statistics of a pool."""
    return STACKED.fullmatch(name) is None or "_pool_" in name or name.endswith("batches_tracked")
