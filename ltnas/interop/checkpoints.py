"""Checkpoints as repositories save them: a state dict, or one inside of a larger mapping."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ltnas.config import require

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
"""Keys of the state dict in a checkpoint that holds more than that."""
COUNTERS = ("total_ops", "total_params")
"""Last parts of the names of buffers that counters of operations (thop) leave in a network."""


def unwrapped(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict in a checkpoint, without what is no part of a network.

    What is left out is told in a warning.

    Args:
        checkpoint: state dict, or a mapping with one under a usual key, beside an epoch or the
            state of an optimiser.

    Raises:
        UserError: there is no tensor.
    """
    tensors, left_out = checkpoint, []
    for key in WRAPPERS:
        if isinstance(checkpoint.get(key), Mapping):
            tensors = checkpoint[key]
            left_out = [other for other in checkpoint if other != key]
            break
    kept = {name: value for name, value in tensors.items() if _is_of_network(name, value)}
    require(
        kept != {},
        f"the checkpoint has no tensors, but {', '.join(map(str, checkpoint)) or 'nothing'}: give "
        f"a state dict, or a mapping with one as {' or '.join(WRAPPERS[:3])}",
    )
    left_out += sorted({_kind(name) for name in tensors if name not in kept})
    if left_out:
        warnings.warn(f"left out of the checkpoint: {', '.join(left_out)}", stacklevel=3)
    return kept


def _is_of_network(name: str, value: object) -> bool:
    """Return True for a tensor that a network computes with."""
    return isinstance(value, Tensor) and not name.endswith(COUNTERS)


def _kind(name: str) -> str:
    """Return the name of a counter without the module that it counts; other names as they are."""
    return name.rpartition(".")[2] if name.endswith(COUNTERS) else name
