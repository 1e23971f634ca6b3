"""Supernet search: the order of its steps, and what each epoch determines."""

from __future__ import annotations

import re
from typing import Any

import torch

from ltnas import config as c
from ltnas.axes.perturbations import Perturbation
from ltnas.axes.progression import SearchStage, single_stage, skip_dropout_rate
from ltnas.axes.regularisers import Regularise
from ltnas.axes.schedules import scheduled, weight_rate
from ltnas.data.seeds import derived_seed, generator
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.diagnostics.ranks import Measure
from ltnas.models.skip_dropout import set_skip_dropout
from ltnas.training.architecture import Architecture, architecture_numbers, read_architecture
from ltnas.training.curvature import measure_curvature
from ltnas.training.graphs import Step
from ltnas.training.inheritance import OptimiserState, inherit
from ltnas.training.learner import Learner
from ltnas.training.learner_losses import Context
from ltnas.training.levels import Levels
from ltnas.training.monitor import PACE, Pace
from ltnas.training.operation_stopping import OperationStopping
from ltnas.training.optimisation import (
    architecture_optimiser,
    place_counters,
    rate_of,
    set_rate,
    weight_optimiser,
)
from ltnas.training.search_steps import SearchSteps

SUPERNET_0_1 = re.compile(r"(learner\.model\.)((?:stem|cells|rebalancing_cell)\.)")
"""Names of the supernet's tensors in checkpoints of ltnas 0.1.0."""


class SearchModule(SearchSteps):
    """Orders the steps of a bilevel search, and sets what an epoch determines.

    Args:
        learner: search network and objectives.
        regularise: term on the mixing weights that is added in the architecture step.
        gradient: value on the axis of architecture gradients.
        schedule: schedule of the architecture's learning rate.
        selection: value on the selection axis.
        weights: settings of the weights' optimiser.
        architecture: settings of the architecture's optimiser.
        hessian_every: epochs between measurements of the Hessian's largest eigenvalue; 0: never.
        epochs: epochs of the whole search.
        stage: stage of the search that this module trains.
        tests: test sets, measured after each epoch.
        seed: seed of the run.
        autocast: makes the context of a forward pass.
        pace: how steps are run, and how often the model is tested.
        measure: measures what the relaxation depends on; None: it depends on parameters alone.
        perturbation: see `SearchSteps`.
        stopping: see `SearchSteps`.
        levels: see `SearchSteps`.
    """

    def __init__(
        self,
        *,
        learner: Learner,
        regularise: Regularise | None,
        gradient: c.Gradient,
        schedule: c.Schedule,
        selection: c.Selection,
        weights: c.WeightOptimiser,
        architecture: c.ArchitectureOptimiser,
        hessian_every: int,
        epochs: int,
        tests: TestSets,
        seed: int,
        autocast: Context,
        pace: Pace = PACE,
        stage: SearchStage | None = None,
        measure: Measure | None = None,
        perturbation: Perturbation | None = None,
        stopping: OperationStopping | None = None,
        levels: Levels | None = None,
    ) -> None:
        stage = stage or single_stage(epochs)
        super().__init__(
            learner=learner,
            regularise=regularise,
            gradient=gradient,
            weights=weights,
            architecture=architecture,
            tests=tests,
            seed=seed,
            autocast=autocast,
            pace=pace,
            first_epoch=stage.first_epoch,
            perturbation=perturbation,
            stopping=stopping,
            levels=levels,
        )
        self.stage, self.measure = stage, measure
        # What the optimisers of a stage start from, by learner and by the names of its parameters;
        # those of other stages start anew.
        self.inherited: dict[str, dict[str, OptimiserState]] = {}
        self.schedule, self.selection = schedule, selection
        self.hessian_every, self.epochs = hessian_every, epochs
        self.warmup_epochs = architecture.warmup_epochs(stage.epochs)
        self.curvature: dict[str, float] = {}
        self._architecture: Architecture | None = None

    def architecture(self) -> Architecture:
        """Return the present architecture; computed once an epoch, by whoever asks first."""
        if self._architecture is None:
            self._measure()  # of the weights that the epoch has ended with
            self._architecture = read_architecture(self.network, self.selection, self.seed)
        return self._architecture

    def _measure(self) -> None:
        """Renew the measurements that the relaxation depends on, if there are any."""
        if self.measure is not None:
            self.network.relaxation.set_measured(self.measure(self.network.supernet))

    def epoch_details(self) -> dict[str, float | int]:
        """Return the columns of the history that describe the architecture."""
        optimiser, supernet = self._optimisers()[1], self.network.supernet
        rate = {} if optimiser is None else {"architecture_rate": rate_of(optimiser)}
        numbers = architecture_numbers(
            self.architecture(), supernet.operation_names, supernet.nodes, supernet.masks
        )
        details = self.network.details()
        if self.stage.skip_dropout:
            details["skip_dropout"] = self._skip_dropout()
        if self.stage.epochs < self.epochs:
            details["stage"] = self.stage.number + 1
        return {**rate, **numbers, **details, **self.step_details(), **self.curvature}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore test results, and rename the tensors of a checkpoint of ltnas 0.1.0."""
        super().on_load_checkpoint(checkpoint)
        # Version 0.1.0 had no `SearchNetwork`: the parts of the supernet were those of the model.
        checkpoint["state_dict"] = {
            SUPERNET_0_1.sub(r"\1supernet.\2", name): value
            for name, value in checkpoint["state_dict"].items()
        }

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return SGD on the weights, Adam on a moved architecture, SGD on the other learners."""
        # Two optimisers without common parameters: SGD on the architecture parameters would fit
        # them to the training images of the weights, with momentum and decay that are not theirs.
        recorded = self.choose_runner()
        found: list[torch.optim.Optimizer] = [
            weight_optimiser(self.learner.weights().values(), self.weights_config, recorded)
        ]
        if self.gradient.moves_parameters:
            found.append(
                architecture_optimiser(
                    self._architecture_parameters(), self.architecture_config, recorded
                )
            )
        found += [
            weight_optimiser(learner.weights().values(), self.weights_config, recorded)
            for learner in self.levels.learners.values()
        ]
        for name, states in self.inherited.items():
            inherit(found, self.learners()[name], states)
        return found

    def on_train_epoch_start(self) -> None:
        """Set both learning rates and the state of the relaxation, which the epoch determines."""
        super().on_train_epoch_start()
        self.curvature, self._architecture = {}, None
        for learner in self.learners().values():
            learner.set_progress(self.epoch / self.epochs)
        self.network.set_epoch(self.epoch, self.epochs)
        if self.stage.skip_dropout:
            for learner in self.learners().values():
                set_skip_dropout(learner, self._skip_dropout())
        self._measure()
        if self.perturbation is not None:
            self.perturbation.set_epoch(self.epoch, self.epochs)
        # Rates are computed instead of stepped by a scheduler, whose state would have to be
        # restored when a run resumes.
        for update in self._updates().values():
            set_rate(update.optimiser, weight_rate(self.weights_config, *self._rate_position()))
            place_counters(update.optimiser)
        architecture = self._optimisers()[1]
        if architecture is not None:
            set_rate(architecture, self._architecture_rate())
            place_counters(architecture)
        if self.current_epoch == self.warmup_epochs:
            self.choose_runner()  # a recording of the steps so far is not one of those from now on

    def _architecture_rate(self) -> float:
        """Return the architecture's learning rate; 0 in epochs without architecture steps."""
        if self.current_epoch < self.warmup_epochs:
            return 0.0
        first = self.architecture_config.learning_rate
        return scheduled(self.schedule, *self._rate_position(), first)

    def _rate_position(self) -> tuple[int, int]:
        """Return the epoch, and the number of epochs, of the schedules of learning rates."""
        if self.stage.restarts:
            return self.current_epoch, self.stage.epochs
        return self.epoch, self.epochs

    def _skip_dropout(self) -> float:
        """Return the probability of dropout after skip connections in the present epoch."""
        return skip_dropout_rate(
            self.stage.skip_dropout,
            epoch=self.current_epoch,
            epochs=self.stage.epochs,
            warmup=self.warmup_epochs,
        )

    def training_step(self, batches: dict[str, Batch], index: int) -> None:
        """Take one step of the search."""
        # The same noise on all ranks and in all passes of the step; no stream has such a key.
        self.network.relaxation.draw(generator(self.seed, 0, self.epoch, index, 2))
        if self.perturbation is not None:
            self.perturbation.draw(generator(self.seed, 0, self.epoch, index, 3))
        self.levels.draw(batches, generator(self.seed, 0, self.epoch, index, 4))
        self.note(self.run(self._step(), batches))
        # On the last batch of the epoch, so that no further images are drawn for the measurement.
        last = index + 1 == self.trainer.num_training_batches
        measures = self.hessian_every and (self.epoch + 1) % self.hessian_every == 0
        if last and measures and self.gradient.moves_parameters:
            batch = batches.get("architecture", batches["weights"])
            seed = derived_seed(self.seed, self.epoch)
            self.curvature = {"largest_eigenvalue": measure_curvature(self.learner, batch, seed)}

    def _step(self) -> Step:
        """Return what a step of the present epoch is."""
        warming_up = self.current_epoch < self.warmup_epochs
        if warming_up or not self.gradient.moves_parameters:
            return self.weights_alone_step
        if isinstance(self.gradient, c.SingleLevel):
            return self.single_level_step
        return self.bilevel_step
