"""Levels of a search: the learners beside the supernet, and the chain of steps to the architecture.

A search of two levels has none: the architecture's loss is that of the supernet after a virtual
step of its weights. Searches of more levels are subclasses, one file each.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ltnas import config as c
from ltnas.axes.chains import ChainLoss, Stage, Values, WeightStep
from ltnas.axes.differentiation import Tensors
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
    """Return what a step that updates the weights of a learner measures.

    Args:
        name: first word of the names: `train` for the supernet, else the name of the learner.
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
        weight: factor of the loss of each of them in the loss of the architecture.
        depth: see `chain_gradient`.
    """

    learners: Mapping[str, Learner]

    def __init__(
        self,
        losses: SearchLosses,
        learners: Mapping[str, Learner] | None = None,
        weight: float = 1.0,
        depth: int | None = None,
    ) -> None:
        super().__init__()
        self.losses, self.weight, self.depth = losses, weight, depth
        self.learners = nn.ModuleDict(learners or {})  # type: ignore[assignment]
        self.others = {name: LearnerLosses(learner) for name, learner in self.learners.items()}

    def draw(self, batches: Batches, generator: torch.Generator) -> None:
        """Draw what is random in a step; once before each step."""

    def weights(self) -> Values:
        """Return the current weights of each learner by its name."""
        others = {name: losses.weights() for name, losses in self.others.items()}
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
        """Return the loss of the architecture, L(supernet) + weight L(other), each of them noted.

        Args:
            batches: batches of the streams by name.
            context: makes the context of a forward pass.
            notes: what the loss adds its parts to.
        """
        first = of(SUPERNET, self.losses.validation(batches["architecture"], context, notes))
        others = {
            name: of(name, losses.trial(self.judged_on(batches, name), context))
            for name, losses in self.others.items()
        }

        def loss(values: Values, architecture: Tensors) -> Tensor:
            total = first(values, architecture)
            for name, other in others.items():
                value = other(values, architecture)
                notes[f"architecture_loss_{name}"] = value.detach()
                total = total + self.weight * value
            return total

        return loss

    def judged_on(self, batches: Batches, name: str) -> Batch:
        """Return the images on which another learner's loss is a part of the architecture's."""
        return batches["architecture"]

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
