"""Interleaving Learning: learners of one architecture learn in turn.

Ban and Xie 2021, arXiv 2103.07018: K learners share the architecture and have weights of their own.
In each of M rounds each of them learns, and stays near the one before it; the architecture's loss
is the sum of their losses after the last round.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor

from ltnas import config as c
from ltnas.axes.chains import Pull, Stage, WeightStep
from ltnas.data.stream import Batch
from ltnas.training.graphs import Batches, Notes
from ltnas.training.learner import Learner
from ltnas.training.learner_losses import Context
from ltnas.training.levels import SUPERNET, Levels, of, training_notes
from ltnas.training.search_losses import SearchLosses
from ltnas.training.weight_update import WeightUpdate

PULLED = "model.supernet."
"""Beginning of the names of the weights that are pulled: all but those of classifiers."""


def learner_names(count: int) -> list[str]:
    """Return the names of the learners beside the first one, and of the streams of their images."""
    return [f"learner_{number}" for number in range(2, count + 1)]


def architecture_stream(name: str) -> str:
    """Return the name of the stream of a learner's images in the architecture step."""
    return f"architecture_{name}"


class Interleaving(Levels):
    """Learners in a row, of which each is pulled to the one before it.

    The pull is a proximal step, see `Pull`: as a gradient step, a weight of 100 would diverge at
    the learning rate of DARTS.

    Args:
        losses: losses of the first learner.
        learners: the other learners by name, in order.
        config: rounds, pull and depth.
    """

    def __init__(
        self, losses: SearchLosses, learners: Mapping[str, Learner], config: c.Interleaving
    ) -> None:
        super().__init__(losses, learners, depth=config.depth)
        self.config = config
        self.names = (SUPERNET, *learners)

    def stages(
        self, batches: Batches, steps: Mapping[str, WeightStep], context: Context
    ) -> list[Stage]:
        """Return the steps of all rounds."""
        (first,) = super().stages(batches, steps, context)
        turn = [first]
        for name, losses in self.others.items():
            loss = of(name, losses.trial(batches[name], context))
            turn.append(Stage(name, loss, steps[name]))
        order = turn * self.config.rounds
        pulled = frozenset(name for name in self.losses.weights() if name.startswith(PULLED))
        found = [order[0]]
        for before, stage in pairwise(order):
            pull = Pull(before.moves, self._strength(stage.step.rate), pulled)
            # A single learner has no other one that could pull it.
            attracted = pull if before.moves != stage.moves else None
            found.append(Stage(stage.moves, stage.loss, stage.step, attracted))
        return found

    def judged_on(self, batches: Batches, name: str) -> Batch:
        """Return the learner's own images of the architecture step."""
        return batches[architecture_stream(name)]

    def weight_steps(
        self, batches: Batches, updates: Mapping[str, WeightUpdate], context: Context
    ) -> Notes:
        """Pull the first learner, whose step was taken, then take and pull the other steps."""
        notes: Notes = {}
        # In the first of several rounds nobody has learned before the first learner.
        if self.others and self.config.rounds > 1:
            self._pull(updates[self.names[0]], updates[self.names[-1]])
        for before, (name, of_learner) in zip(self.names, self.others.items(), strict=False):
            batch, update = batches[name], updates[name]
            with context():
                losses = of_learner.at_fixed_architecture(batch)
            update.descend(losses.total)
            self._pull(update, updates[before])
            notes |= training_notes(name, losses, batch)
        return notes

    def passes(self, gradient: c.Gradient) -> dict[str, int]:
        """See `Levels`."""
        found = dict.fromkeys(self.names, 2)
        if isinstance(gradient, c.SecondOrder):
            order = list(self.names) * self.config.rounds
            kept = order if self.depth is None else order[-self.depth :]
            for name in self.names:
                found[name] += order.count(name) + 2 * kept.count(name)
        return found

    def _strength(self, rate: float) -> float:
        """Return the strength of a proximal step, at a learning rate."""
        return 2 * rate * self.config.pull

    @torch.no_grad()
    def _pull(self, update: WeightUpdate, target: WeightUpdate) -> None:
        """Pull the weights of one learner to those of another one, in place."""
        strength = self._strength(update.rate)
        own, others = update.learner.weights(), target.learner.weights()
        names = [name for name in own if name.startswith(PULLED)]
        weights: list[Tensor] = [own[name] for name in names]
        targets: list[Tensor] = [others[name] for name in names]
        distances = list(torch._foreach_sub(targets, weights))
        torch._foreach_mul_(distances, strength / (1 + strength))
        torch._foreach_add_(weights, distances)
