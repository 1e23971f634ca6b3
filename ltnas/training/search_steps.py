"""Steps of a bilevel search: the architecture step, then the weight step (DARTS, algorithm 1)."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from ltnas import config as c
from ltnas.axes.chains import WeightStep
from ltnas.axes.differentiation import Tensors, gradients
from ltnas.axes.gradients import architecture_gradient
from ltnas.axes.perturbations import Perturbation
from ltnas.axes.regularisers import Regularise
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.distributed.collectives import mean_over_ranks, ranks
from ltnas.models.search_network import SearchNetwork
from ltnas.models.statistics import frozen_statistics
from ltnas.objectives import Losses
from ltnas.training.graphs import Notes
from ltnas.training.learner import Learner
from ltnas.training.learner_losses import Context
from ltnas.training.levels import SUPERNET, Levels, training_notes
from ltnas.training.monitor import PACE, MeasuringModule, Pace
from ltnas.training.operation_stopping import OperationStopping
from ltnas.training.optimisation import clipped_step, set_gradients
from ltnas.training.precision import exact_convolutions
from ltnas.training.search_losses import SearchLosses
from ltnas.training.weight_update import WeightUpdate


class SearchSteps(MeasuringModule):
    """Base of `SearchModule`: what each step of a search computes.

    Args:
        learner: search network and objectives.
        regularise: term on the mixing weights that is added in the architecture step.
        gradient: value on the axis of architecture gradients.
        weights: settings of the weights' optimiser.
        architecture: settings of the architecture's optimiser.
        tests: test sets.
        seed: seed of the run.
        autocast: makes the context of a forward pass.
        pace: how steps are run, and how often the model is tested.
        first_epoch: number of epochs of the stages before.
        perturbation: moves the mixing weights of the weight step; None: they are the relaxation's.
        stopping: freezes candidate operations; None: all learn until the end.
        levels: the other learners of the search, and the chain of virtual steps; None: there are
            the levels of weights and architecture alone.
    """

    learner: Learner

    def __init__(
        self,
        *,
        learner: Learner,
        regularise: Regularise | None,
        gradient: c.Gradient,
        weights: c.WeightOptimiser,
        architecture: c.ArchitectureOptimiser,
        tests: TestSets,
        seed: int,
        autocast: Context,
        pace: Pace = PACE,
        first_epoch: int = 0,
        perturbation: Perturbation | None = None,
        stopping: OperationStopping | None = None,
        levels: Levels | None = None,
    ) -> None:
        super().__init__(learner, tests, seed, pace, first_epoch)
        self.functions = SearchLosses(learner, regularise)
        self.levels = levels or Levels(self.functions)
        self.perturbation, self.stopping = perturbation, stopping
        self.regularise, self.gradient, self.autocast = regularise, gradient, autocast
        self.weights_config, self.architecture_config = weights, architecture

    @property
    def network(self) -> SearchNetwork:
        """The model of the learner."""
        assert isinstance(self.learner.model, SearchNetwork)
        return self.learner.model

    def step_details(self) -> dict[str, float | int]:
        """Return columns of the history that describe the parts of the steps."""
        parts = (self.perturbation, self.stopping)
        return {key: value for part in parts if part for key, value in part.details().items()}

    def _architecture_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the architecture's optimiser."""
        named = self.network.named_architecture().values()
        return [value for value in named if isinstance(value, nn.Parameter)]

    def _optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer | None]:
        """Return the optimisers of the supernet's weights and of the architecture.

        They come without Lightning's wrappers, which count two steps a batch.
        """
        weights, *others = self.trainer.optimizers
        return weights, others[0] if self.gradient.moves_parameters else None

    def _updates(self) -> dict[str, WeightUpdate]:
        """Return the step of the weights of each learner by its name."""
        learners = self.learners()
        weights, *others = self.trainer.optimizers
        # The optimisers of the other learners are the last ones.
        optimisers = [weights, *others[len(others) + 1 - len(learners) :]]
        return {
            name: WeightUpdate(learner, optimiser, self.weights_config)
            for (name, learner), optimiser in zip(learners.items(), optimisers, strict=True)
        }

    def learners(self) -> dict[str, Learner]:
        """Return all learners by name, that of the supernet first."""
        return {SUPERNET: self.learner, **dict(self.levels.learners.items())}

    def weights_alone_step(self, batches: dict[str, Batch]) -> Notes:
        """Take the weight steps, without an architecture step."""
        return self.all_weight_steps(batches)

    def single_level_step(self, batches: dict[str, Batch]) -> Notes:
        """Update weights and architecture parameters by the gradient of one loss (SNAS)."""
        batch, architecture = batches["weights"], self.learner.architecture()
        with self.autocast():
            losses: Losses = self.learner(batch)
        total = losses.total
        if self.regularise is not None:
            total = total + self.functions.regulariser(architecture)
        # One backward pass; the gradients of the architecture are those before both updates.
        groups, parameters = self.learner.clip_groups(), self._architecture_parameters()
        set_gradients(total, [*groups, parameters])
        weights_optimiser, optimiser = self._optimisers()
        assert optimiser is not None
        clipped_step(groups, weights_optimiser, self.weights_config.clip)
        clipped_step([parameters], optimiser, self.architecture_config.clip)
        return training_notes("train", losses, batch)

    def bilevel_step(self, batches: dict[str, Batch]) -> Notes:
        """Take the architecture step, then the weight step at the new architecture parameters."""
        return self.architecture_step(batches) | self.all_weight_steps(batches)

    def all_weight_steps(self, batches: dict[str, Batch]) -> Notes:
        """Take the weight step of the supernet, then those of the other learners."""
        notes = self.weight_step(batches["weights"])
        return notes | self.levels.weight_steps(batches, self._updates(), self.autocast)

    def architecture_step(self, batches: dict[str, Batch]) -> Notes:
        """Update the architecture parameters on images of their own half (DARTS, section 2.3)."""
        optimiser = self._optimisers()[1]
        assert optimiser is not None
        gradient, notes = self.architecture_gradient(batches)
        for name, parameter in self.learner.architecture().items():
            parameter.grad = gradient[name]
        clipped_step([self._architecture_parameters()], optimiser, self.architecture_config.clip)
        return notes

    def architecture_gradient(self, batches: dict[str, Batch]) -> tuple[Tensors, Notes]:
        """Return the gradient of the architecture parameters by their names in the learner.

        The second value holds the loss of the architecture.
        """
        notes: Notes = {}
        exact = self.gradient.full_precision
        context = nullcontext if exact else self.autocast
        losses, watched = self.functions, self._watched_weights()
        # Where nothing looks ahead they are gradients of the same loss at the same parameters.
        together = watched if isinstance(self.gradient, c.FirstOrder) else {}
        with frozen_statistics(self), exact_convolutions() if exact else nullcontext():
            found = architecture_gradient(
                self.gradient,
                stages=lambda: self.levels.stages(batches, self._next_steps(), context),
                outer=self.levels.outer(batches, context, notes),
                weights=self.levels.weights,
                values=lambda: self.levels.values(batches),
                architecture=self.learner.architecture() | together,
                average=mean_over_ranks,
                ranks=ranks(),
                depth=self.levels.depth,
            )
            if watched and not together:
                trial = losses.trial(batches["architecture"], context, of_architecture=True)
                weights = losses.weights()
                found |= gradients(
                    trial(weights | watched, self.learner.architecture()), watched, mean_over_ranks
                )
        if self.stopping is not None:
            self.stopping.validation = {name: found.pop(name) for name in watched}
        return found, notes

    def _watched_weights(self) -> Tensors:
        """Return the weights whose gradients in both steps are compared, by name."""
        if self.stopping is None:
            return {}
        weights = self.learner.weights()
        return {name: weights[name] for name in self.stopping.names()}

    def _next_steps(self) -> dict[str, WeightStep]:
        """Return the SGD step that the weights of each learner take next."""
        stopping, weights = self.stopping, self.learner.weights()
        frozen = {SUPERNET: stopping.frozen_weights(weights)} if stopping else {}
        return {
            name: update.next_step(frozen.get(name)) for name, update in self._updates().items()
        }

    def weight_step(self, batch: Batch) -> Notes:
        """Update the weights, at constant architecture parameters."""
        mixing = self._perturbed_weights(batch)
        with self.network.given_weights(mixing), self.autocast():
            losses = self.functions.at_fixed_architecture(batch)
        groups, (optimiser, _) = self.learner.clip_groups(), self._optimisers()
        set_gradients(losses.total, groups)
        with nullcontext() if self.stopping is None else self.stopping.step(self.learner.weights()):
            clipped_step(groups, optimiser, self.weights_config.clip)
        return training_notes("train", losses, batch)

    def _perturbed_weights(self, batch: Batch) -> Tensors | None:
        """Return the perturbed mixing weights of a weight step; None: those of the relaxation."""
        if self.perturbation is None:
            return None
        with torch.no_grad():
            mixing = self.network.mixing_weights()
            existing = self.network.existing_operations(mixing)
        with frozen_statistics(self.learner):
            loss = self.functions.of_mixing_weights(batch, self.autocast)
            found: Tensors = self.perturbation(mixing, existing, loss, mean_over_ranks)
        return found
