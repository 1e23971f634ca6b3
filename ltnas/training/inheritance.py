"""State that a stage of a search takes over from the one before it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ltnas.models.search_network import SearchNetwork
from ltnas.models.widening import widened_tensors
from ltnas.training.learner import Learner

OptimiserState = dict[str, Tensor]
"""State that an optimiser keeps of a parameter, by the names of its entries."""
WEIGHTS = "model.supernet."
"""Beginning of the names of a supernet's tensors in a learner."""


def inherit_weights(narrow: Learner, wide: Learner) -> None:
    """Fill a learner with the tensors of the one before, whose supernet has narrower operations.

    Args:
        narrow: learner of the stage before.
        wide: learner of this stage, which is changed.
    """
    wide.load_state_dict(_carried(narrow, wide, narrow.state_dict()))


def inherited_states(
    narrow: Learner, wide: Learner, optimisers: list[torch.optim.Optimizer]
) -> dict[str, OptimiserState]:
    """Return what the optimisers of a learner's stage leave to those of the next one.

    Args:
        narrow: learner of the stage before.
        wide: learner of this stage.
        optimisers: optimisers of the stage before.

    Returns:
        State of each parameter by its name in the learner; a parameter without any is left out.
    """
    names: dict[Tensor, str] = {value: name for name, value in narrow.named_parameters()}
    # One dictionary for each entry, such as the momentum: its tensors are widened like the weights.
    entries: dict[str, dict[str, Tensor]] = {}
    for optimiser in optimisers:
        for parameter, state in optimiser.state.items():
            for entry, value in state.items():
                # An optimiser may have parameters of another learner.
                if parameter in names and isinstance(value, Tensor):
                    entries.setdefault(entry, {})[names[parameter]] = value
    found: dict[str, OptimiserState] = {}
    for entry, tensors in entries.items():
        for name, value in _carried(narrow, wide, tensors).items():
            found.setdefault(name, {})[entry] = value
    return found


def _carried(narrow: Learner, wide: Learner, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of the narrow learner as those of the wide one, by their names there."""
    if not isinstance(narrow.model, SearchNetwork) or not isinstance(wide.model, SearchNetwork):
        return {name: value.clone() for name, value in tensors.items()}  # the same network
    inner = {
        name.removeprefix(WEIGHTS): value
        for name, value in tensors.items()
        if name.startswith(WEIGHTS)
    }
    supernet = widened_tensors(narrow.model.supernet, wide.model.supernet, inner)
    others = {
        name: value.clone() for name, value in tensors.items() if not name.startswith(WEIGHTS)
    }
    return others | {WEIGHTS + name: value for name, value in supernet.items()}


def inherit(
    optimisers: list[torch.optim.Optimizer],
    learner: Learner,
    states: Mapping[str, OptimiserState],
) -> None:
    """Give optimisers that were just made the state that a stage before has left.

    Args:
        optimisers: optimisers of the learner's parameters.
        learner: learner on its device.
        states: see `inherited_states`.
    """
    names = {parameter: name for name, parameter in learner.named_parameters()}
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                state = states.get(names.get(parameter, ""), {})
                if state:
                    # Counters of steps stay where they are; see `place_counters`.
                    optimiser.state[parameter] = {
                        entry: value if value.dim() == 0 else value.to(parameter.device)
                        for entry, value in state.items()
                    }
