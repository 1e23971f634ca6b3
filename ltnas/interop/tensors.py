"""Models filled with the tensors of published checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from ltnas.config import require
from ltnas.interop.names import bare
from ltnas.models.branches import BranchedModel
from ltnas.models.sources import MixingWeights
from ltnas.models.stacking import plain_shape, stack

Model = TypeVar("Model", bound=BranchedModel)

COUNTER = "num_batches_tracked"
"""Buffer of batch normalisation that checkpoints older than PyTorch 0.4.1 lack; no output depends
on it."""


def filled(
    model: Model,
    state_dict: Mapping[str, Tensor],
    settings: str,
    official_names: Callable[[str], list[str]],
    ours: Mapping[str, Tensor] | None = None,
) -> Model:
    """Fill a model with the tensors of a checkpoint, and return it.

    Args:
        model: model on the meta device.
        state_dict: tensors of the checkpoint by their names in the published code.
        settings: arguments that the model was built with, as text for messages.
        official_names: maps the name of a tensor of the model to those of the tensors of the
            checkpoint that it consists of.
        ours: tensors that the checkpoint does not hold, by their names in this package.

    Raises:
        UserError: a name or a shape does not fit.
    """
    tensors = dict(ours or {})
    theirs = {bare(name): tensor for name, tensor in state_dict.items()}
    # Names and shapes that the checkpoint must have, from those of the model.
    shapes = {name: t.shape for name, t in model.state_dict().items() if name not in tensors}
    names = {name: official_names(name) for name in shapes}
    needed = {
        official: plain_shape(name, shapes[name], len(parts))
        for name, parts in names.items()
        for official in parts
    }
    # Fill in the counters of old checkpoints, check everything, then stack and load.
    for official in needed:
        if official.endswith(COUNTER):
            theirs.setdefault(official, torch.tensor(0))
    _check_fit(theirs, needed, settings)
    _check_pools(theirs, names)
    tensors |= stack(theirs, names)
    # The dtype of the checkpoint, so that float64 weights stay exact.
    model.to_empty(device="cpu").to(theirs["classifier.weight"].dtype)
    model.load_state_dict(tensors)
    # Buffers that no checkpoint has, and that `to_empty` leaves uninitialised.
    model.set_drop_path(0.0)
    for module in model.modules():
        if isinstance(module, MixingWeights):
            module.fill()
    return model


def _check_pools(theirs: Mapping[str, Tensor], names: Mapping[str, Sequence[str]]) -> None:
    """Raise a `UserError` if statistics that should be equal differ.

    The supernet pools each state once, whereas published code pools it once for each edge that
    starts at it, and keeps running statistics for each of these edges.
    """
    for name, (first, *others) in names.items():
        for other in others if "_pool_" in name and "running" in name else []:
            require(
                torch.allclose(theirs[first], theirs[other], rtol=1e-3),
                f"{other} differs from {first}, although both belong to the same pooling of the "
                "same state: give the checkpoint of a single search, which has dropped no "
                "operations yet",
            )


def _check_fit(
    theirs: Mapping[str, Tensor], needed: Mapping[str, torch.Size], settings: str
) -> None:
    """Raise a `UserError` at the first name or shape in a checkpoint that does not fit.

    Args:
        theirs: tensors of the checkpoint by their names.
        needed: names and shapes of the tensors that the model needs.
        settings: arguments that the model was built with, as text for messages.
    """
    cure = f"{settings} must be those that it was created with"
    for name in needed:
        require(name in theirs, f"the checkpoint has no {name}: {cure}")
    for name in theirs:
        require(
            name in needed, f"the checkpoint has {name}, which the network does not have: {cure}"
        )
    for name, shape in needed.items():
        given = tuple(theirs[name].shape)
        require(
            given == tuple(shape),
            f"{name} has the shape {given} in the checkpoint and {tuple(shape)} in the network: "
            f"{cure}",
        )


def check_counts(channels: int, cells: int, num_classes: int) -> None:
    """Raise a `UserError` if a count is not positive."""
    counts = (("channels", channels), ("cells", cells), ("num_classes", num_classes))
    for key, value in counts:
        require(value >= 1, f"{key}={value} must be 1 or more")
