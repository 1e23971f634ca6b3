"""Levels of a search: the learners beside the supernet, and the chain of steps to the architecture.

A search of two levels has none: the architecture's loss is that of the supernet after a virtual
step of its weights. Searches of more levels are subclasses, one file each.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ltnas import config as c
from ltnas.axes.chains import ChainLoss, Stage, Values, WeightStep
from ltnas.data.stream import Batch
from ltnas.objectives import Losses
from ltnas.training.graphs import Batches, Notes
from ltnas.training.learner import Learner
from ltnas.training.learner_losses import Context, LearnerLosses, Loss
from ltnas.training.search_losses import SearchLosses
from ltnas.training.weight_update import WeightUpdate

SUPERNET = "supernet"
"""Name of the learner whose supernet is searched."""


def of(variable: str, loss: Loss) -> ChainLoss:
    """Return the loss of one variable of a chain as a loss of all of them."""
    return lambda values, architecture: loss(values[variable], architecture)


def training_notes(name: str, losses: Losses, batch: Batch) -> Notes:
    """Return what the weight step of a learner beside the supernet measures.

    Args:
        name: name of the learner.
        losses: losses of the batch.
        batch: images and labels.
    """
    hits = (losses.logits.argmax(1) == batch.labels).float().mean()
    return {f"{name}_loss": losses.objective.detach(), f"{name}_accuracy": hits}


class Levels(nn.Module):
    """Levels of weights and architecture (DARTS, equations 3 and 4); base of all others.

    Args:
        losses: losses of the supernet's learner.
        learners: the other learners by name; they share no weights with it.
        depth: see `chain_gradient`.
    """

    learners: Mapping[str, Learner]

    def __init__(
        self,
        losses: SearchLosses,
        learners: Mapping[str, Learner] | None = None,
        depth: int | None = None,
    ) -> None:
        super().__init__()
        self.losses, self.depth = losses, depth
        self.learners = nn.ModuleDict(learners or {})  # type: ignore[assignment]

    def draw(self, batches: Batches, generator: torch.Generator) -> None:
        """Draw what is random in a step; once before each step."""

    def weights(self) -> Values:
        """Return the current weights of each learner by its name."""
        others = {name: LearnerLosses(learner).weights() for name, learner in self.learners.items()}
        return {SUPERNET: self.losses.weights()} | others

    def values(self, batches: Batches) -> Values:
        """Return the variables of the chain with their current values: by default the weights."""
        return self.weights()

    def stages(
        self, batches: Batches, steps: Mapping[str, WeightStep], context: Context
    ) -> list[Stage]:
        """Return the virtual steps of the chain.

        Args:
            batches: batches of the streams by name.
            steps: next step of the weights of each learner, by name.
            context: makes the context of a forward pass.
        """
        loss = self.losses.trial(batches["weights"], context)
        return [Stage(SUPERNET, of(SUPERNET, loss), steps[SUPERNET])]

    def outer(self, batches: Batches, context: Context, notes: Notes) -> ChainLoss:
        """Return the loss of the architecture, whose parts are noted."""
        return of(SUPERNET, self.losses.validation(batches["architecture"], context, notes))

    def weight_steps(
        self, batches: Batches, updates: Mapping[str, WeightUpdate], context: Context
    ) -> Notes:
        """Update the weights of the other learners, after the step of the supernet's weights.

        Args:
            batches: batches of the streams by name.
            updates: takes the step of the weights of each learner, by name.
            context: makes the context of a forward pass.
        """
        return {}

    def passes(self, gradient: c.Gradient) -> dict[str, int]:
        """Return the number of forward passes through each learner in a step, by its name.

        Args:
            gradient: value on the gradient axis.
        """
        match gradient:
            case c.SecondOrder():
                return {SUPERNET: 5}  # virtual step, outer loss, two differences, weight step
            case c.FirstOrder():
                return {SUPERNET: 2}
            case _:
                return {SUPERNET: 1}
