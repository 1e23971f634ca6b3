"""Supernet search: the architecture step, then the weight step (DARTS, algorithm 1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ltnas import config as c
from ltnas.axes.gradients import Loss, Tensors, WeightStep, architecture_gradient
from ltnas.axes.progression import SearchStage, single_stage, skip_dropout_rate
from ltnas.axes.regularisers import Regularise
from ltnas.axes.schedules import scheduled, weight_rate
from ltnas.data.seeds import derived_seed, generator
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.diagnostics.ranks import Measure
from ltnas.distributed.collectives import mean_over_ranks
from ltnas.models.search_network import SearchNetwork
from ltnas.models.skip_dropout import set_skip_dropout
from ltnas.models.statistics import frozen_statistics
from ltnas.objectives import Losses
from ltnas.training.architecture import Architecture, architecture_numbers, read_architecture
from ltnas.training.curvature import measure_curvature
from ltnas.training.graphs import Notes, Step
from ltnas.training.inheritance import OptimiserState, inherit
from ltnas.training.learner import Learner
from ltnas.training.monitor import PACE, MeasuringModule, Pace
from ltnas.training.optimisation import (
    architecture_optimiser,
    clipped_step,
    descend,
    place_counters,
    rate_of,
    set_gradients,
    set_rate,
    weight_optimiser,
)

SUPERNET_0_1 = re.compile(r"(learner\.model\.)((?:stem|cells|rebalancing_cell)\.)")
"""Names of the supernet's tensors in checkpoints of ltnas 0.1.0."""
Context = Callable[[], AbstractContextManager[object]]
"""Makes the context of a forward pass, for mixed precision."""


class SearchModule(MeasuringModule):
    """Orders the steps of a bilevel search; what a step computes is decided by its parts.

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
        inherited: what the optimisers of a stage start from, by the names of parameters in the
            learner; {}: they start anew.
        tests: test sets, measured after each epoch.
        seed: seed of the run.
        autocast: makes the context of a forward pass.
        pace: how steps are run, and how often the model is tested.
        measure: measures what the relaxation depends on; None: it depends on parameters alone.
    """

    learner: Learner

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
        inherited: Mapping[str, OptimiserState] = MappingProxyType({}),
        measure: Measure | None = None,
    ) -> None:
        stage = stage or single_stage(epochs)
        super().__init__(learner, tests, seed, pace, stage.first_epoch)
        self.stage, self.inherited, self.measure = stage, inherited, measure
        self.regularise, self.gradient, self.autocast = regularise, gradient, autocast
        self.schedule, self.selection = schedule, selection
        self.weights_config, self.architecture_config = weights, architecture
        self.hessian_every, self.epochs = hessian_every, epochs
        self.warmup_epochs = architecture.warmup_epochs(stage.epochs)
        self.curvature: dict[str, float] = {}
        self._architecture: Architecture | None = None

    @property
    def network(self) -> SearchNetwork:
        """The model of the learner."""
        assert isinstance(self.learner.model, SearchNetwork)
        return self.learner.model

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
        return {**rate, **numbers, **details, **self.curvature}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore test results, and rename the tensors of a checkpoint of ltnas 0.1.0."""
        super().on_load_checkpoint(checkpoint)
        # Version 0.1.0 had no `SearchNetwork`: the parts of the supernet were those of the model.
        checkpoint["state_dict"] = {
            SUPERNET_0_1.sub(r"\1supernet.\2", name): value
            for name, value in checkpoint["state_dict"].items()
        }

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return SGD on the weights and, if a gradient moves it, Adam on the architecture."""
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
        inherit(found, self.learner, self.inherited)
        return found

    def _architecture_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the architecture's optimiser."""
        named = self.network.named_architecture().values()
        return [value for value in named if isinstance(value, nn.Parameter)]

    def _optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer | None]:
        """Return the optimisers without Lightning's wrappers, which count two steps a batch."""
        weights, *architecture = self.trainer.optimizers
        return weights, architecture[0] if architecture else None

    def on_train_epoch_start(self) -> None:
        """Set both learning rates and the state of the relaxation, which the epoch determines."""
        super().on_train_epoch_start()
        self.curvature, self._architecture = {}, None
        self.learner.set_progress(self.epoch / self.epochs)
        self.network.set_epoch(self.epoch, self.epochs)
        if self.stage.skip_dropout:
            set_skip_dropout(self.learner, self._skip_dropout())
        self._measure()
        # Rates are computed instead of stepped by a scheduler, whose state would have to be
        # restored when a run resumes.
        weights, architecture = self._optimisers()
        set_rate(weights, weight_rate(self.weights_config, *self._rate_position()))
        place_counters(weights)
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

    def weights_alone_step(self, batches: dict[str, Batch]) -> Notes:
        """Take the weight step, without an architecture step."""
        return self.weight_step(batches["weights"])

    def single_level_step(self, batches: dict[str, Batch]) -> Notes:
        """Update weights and architecture parameters by the gradient of one loss (SNAS)."""
        batch, architecture = batches["weights"], self.learner.architecture()
        with self.autocast():
            losses: Losses = self.learner(batch)
        total = losses.total
        if self.regularise is not None:
            total = total + self._regulariser(architecture)
        # One backward pass; the gradients of the architecture are those before both updates.
        groups, parameters = self.learner.clip_groups(), self._architecture_parameters()
        set_gradients(total, [*groups, parameters])
        weights_optimiser, optimiser = self._optimisers()
        assert optimiser is not None
        clipped_step(groups, weights_optimiser, self.weights_config.clip)
        clipped_step([parameters], optimiser, self.architecture_config.clip)
        return self._training_notes(losses, batch)

    def bilevel_step(self, batches: dict[str, Batch]) -> Notes:
        """Take the architecture step, then the weight step at the new architecture parameters."""
        return self.architecture_step(batches) | self.weight_step(batches["weights"])

    def architecture_step(self, batches: dict[str, Batch]) -> Notes:
        """Update the architecture parameters on images of their own half (DARTS, section 2.3)."""
        optimiser = self._optimisers()[1]
        assert optimiser is not None
        gradient, notes = self.architecture_gradient(batches)
        for name, parameter in self.learner.architecture().items():
            parameter.grad = gradient[name]
        clipped_step([self._architecture_parameters()], optimiser, self.architecture_config.clip)
        return notes

    def _weights(self) -> Tensors:
        """Return the weights by name, detached: no gradient of them is computed."""
        return {name: parameter.detach() for name, parameter in self.learner.weights().items()}

    def _training_loss(self, batch: Batch, context: Context, of_architecture: bool = False) -> Loss:
        """Return the objective as a function of parameters; `context` is around the forward pass.

        The backward pass runs outside of autocast, as PyTorch recommends.
        """

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            # The parameters are arguments of the call, so that moved weights can be tried out while
            # the module keeps its own.
            arguments = (batch, of_architecture)
            with context():
                losses: Losses = functional_call(self.learner, weights | architecture, arguments)
            return losses.objective

        return loss

    def _validation_loss(self, batch: Batch, context: Context, notes: Notes) -> Loss:
        """Return the loss of the architecture step: the objective, noted, and the regulariser."""
        objective = self._training_loss(batch, context, of_architecture=True)

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            value = objective(weights, architecture)
            notes["architecture_loss"] = value.detach()
            return value if self.regularise is None else value + self._regulariser(architecture)

        return loss

    def _regulariser(self, architecture: Tensors) -> Tensor:
        """Return the regulariser of the parameters that the gradient is taken of.

        Args:
            architecture: architecture parameters by their names in the learner.
        """
        assert self.regularise is not None
        parameters = {
            kind: architecture[f"model.architecture.{kind}"] for kind in self.network.architecture
        }
        mixing = self.network.relaxed(parameters)
        return self.regularise(parameters, mixing, self.network.masks)

    def architecture_gradient(self, batches: dict[str, Batch]) -> tuple[Tensors, Notes]:
        """Return the gradient of the architecture parameters by their names in the learner.

        The second value holds the loss of the architecture.
        """
        notes: Notes = {}
        context = nullcontext if self.gradient.full_precision else self.autocast
        with frozen_statistics(self.learner):
            found = architecture_gradient(
                self.gradient,
                training_loss=self._training_loss(batches["weights"], context),
                validation_loss=self._validation_loss(batches["architecture"], context, notes),
                weights=self._weights(),
                architecture=self.learner.architecture(),
                next_step=self._next_weight_step,
                average=mean_over_ranks,
            )
        return found, notes

    def _next_weight_step(self) -> WeightStep:
        """Return the SGD step that the weights take next, for gradients that look ahead."""
        optimiser = self._optimisers()[0]
        # SGD has no momentum buffers before its first step; a missing one counts as zero.
        buffers = {
            name: optimiser.state.get(parameter, {}).get("momentum_buffer")
            for name, parameter in self.learner.weights().items()
        }
        return WeightStep(
            rate=optimiser.param_groups[0]["lr"],
            momentum=self.weights_config.momentum,
            weight_decay=self.weights_config.weight_decay,
            velocity={name: buffer for name, buffer in buffers.items() if buffer is not None},
        )

    def weight_step(self, batch: Batch) -> Notes:
        """Update the weights, at constant architecture parameters."""
        # The weight step needs no gradient of the architecture parameters.
        fixed = {name: value.detach() for name, value in self.learner.architecture().items()}
        with self.autocast():
            losses: Losses = functional_call(self.learner, fixed, (batch,))
        optimiser, clip = self._optimisers()[0], self.weights_config.clip
        descend(losses.total, self.learner.clip_groups(), optimiser, clip)
        return self._training_notes(losses, batch)

    def _training_notes(self, losses: Losses, batch: Batch) -> Notes:
        """Return what a step that updates the weights measures."""
        hits = (losses.logits.argmax(1) == batch.labels).float().mean()
        return {"train_loss": losses.objective.detach(), "train_accuracy": hits}
