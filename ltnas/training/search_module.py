"""Supernet search: the architecture step, then the weight step (DARTS, algorithm 1)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from ltnas import config as c
from ltnas.axes.gradients import (
    Loss,
    Tensors,
    WeightStep,
    architecture_gradient,
    gradients,
)
from ltnas.axes.regularisers import Regularise
from ltnas.axes.schedules import scheduled, weight_rate
from ltnas.axes.selection import entropy, select
from ltnas.config.space import PARAMETRIC
from ltnas.data.seeds import derived_seed, generator
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.diagnostics.curvature import largest_eigenvalue
from ltnas.diagnostics.discretisation import distance
from ltnas.distributed.collectives import mean_over_ranks
from ltnas.models.search_network import SearchNetwork
from ltnas.models.statistics import frozen_statistics
from ltnas.objectives import Losses
from ltnas.space.genotype import Genotype
from ltnas.training.graphs import Notes
from ltnas.training.learner import Learner
from ltnas.training.monitor import PACE, MeasuringModule, Pace
from ltnas.training.optimisation import (
    architecture_optimiser,
    descend,
    place_counters,
    rate_of,
    set_rate,
    weight_optimiser,
)

SUPERNET_0_1 = re.compile(r"(learner\.model\.)((?:stem|cells|rebalancing_cell)\.)")
"""Names of the supernet's tensors in checkpoints of ltnas 0.1.0."""
Context = Callable[[], AbstractContextManager[object]]
"""Makes the context of a forward pass, for mixed precision."""


class Architecture(NamedTuple):
    """The architecture after an epoch.

    `mixing` holds the expected mixing weights by kind of cell, [edges, operations], on the CPU;
    `genotype` is what the selection derives from them; `notes` say what a reader must know of it.
    """

    mixing: dict[str, Tensor]
    genotype: Genotype
    notes: list[str]


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
        tests: test sets, measured after each epoch.
        seed: seed of the run.
        autocast: makes the context of a forward pass.
        pace: how steps are run, and how often the model is tested.
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
    ) -> None:
        super().__init__(learner, tests, seed, pace)
        self.regularise, self.gradient, self.autocast = regularise, gradient, autocast
        self.schedule, self.selection = schedule, selection
        self.weights_config, self.architecture_config = weights, architecture
        self.hessian_every, self.epochs = hessian_every, epochs
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
            mixing = self.network.expected_weights()
            operations = self.network.supernet.operation_names
            genotype, notes = select(self.selection, mixing, operations, self.seed)
            self._architecture = Architecture(mixing, genotype, notes)
        return self._architecture

    def epoch_details(self) -> dict[str, float | int]:
        """Return the columns of the history that describe the architecture."""
        mixing, genotype, _ = self.architecture()
        supernet = self.network.supernet
        return {
            "architecture_rate": rate_of(self._optimisers()[1]),
            **{f"entropy_{kind}": entropy(values) for kind, values in mixing.items()},
            "skip_connections": genotype.count("skip_connect"),
            "parametric_operations": genotype.count(*PARAMETRIC),
            "skip_share_normal": genotype.normal.share("skip_connect"),
            "discretisation_distance": distance(
                mixing, genotype, supernet.operation_names, supernet.nodes
            ),
            **self.curvature,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore test results, and rename the tensors of a checkpoint of ltnas 0.1.0."""
        super().on_load_checkpoint(checkpoint)
        # Version 0.1.0 had no `SearchNetwork`: the parts of the supernet were those of the model.
        checkpoint["state_dict"] = {
            SUPERNET_0_1.sub(r"\1supernet.\2", name): value
            for name, value in checkpoint["state_dict"].items()
        }

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return SGD on the weights and Adam on the architecture parameters."""
        # Two optimisers without common parameters: SGD on the architecture parameters would fit
        # them to the training images of the weights, with momentum and decay that are not theirs.
        recorded = self.choose_runner()
        weights, architecture = self.learner.weights(), self.network.architecture
        return [
            weight_optimiser(weights.values(), self.weights_config, recorded),
            architecture_optimiser(architecture.values(), self.architecture_config, recorded),
        ]

    def _optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Return the optimisers without Lightning's wrappers, which count two steps a batch."""
        weights, architecture = self.trainer.optimizers
        return weights, architecture

    def on_train_epoch_start(self) -> None:
        """Set both learning rates, which depend on the epoch alone."""
        super().on_train_epoch_start()
        self.curvature, self._architecture = {}, None
        self.learner.set_progress(self.current_epoch / self.epochs)
        # Rates are computed instead of stepped by a scheduler, whose state would have to be
        # restored when a run resumes.
        rate = weight_rate(self.weights_config, self.current_epoch, self.epochs)
        first = self.architecture_config.learning_rate
        architecture_rate = scheduled(self.schedule, self.current_epoch, self.epochs, first)
        for optimiser, value in zip(self._optimisers(), (rate, architecture_rate), strict=True):
            set_rate(optimiser, value)
            place_counters(optimiser)

    def training_step(self, batches: dict[str, Batch], index: int) -> None:
        """Take one bilevel step."""
        # The same noise on all ranks and in all passes of the step; no stream has such a key.
        self.network.relaxation.draw(generator(self.seed, 0, self.current_epoch, index, 2))
        self.note(self.run(self.bilevel_step, batches))
        # On the last batch of the epoch, so that no further images are drawn for the measurement.
        last = index + 1 == self.trainer.num_training_batches
        if last and self.hessian_every and (self.current_epoch + 1) % self.hessian_every == 0:
            self.curvature = {"largest_eigenvalue": self._curvature(batches["architecture"])}

    def bilevel_step(self, batches: dict[str, Batch]) -> Notes:
        """Take the architecture step, then the weight step at the new architecture parameters."""
        return self.architecture_step(batches) | self.weight_step(batches["weights"])

    def architecture_step(self, batches: dict[str, Batch]) -> Notes:
        """Update the architecture parameters on images of their own half (DARTS, section 2.3)."""
        optimiser = self._optimisers()[1]
        gradient, notes = self.architecture_gradient(batches)
        for name, parameter in self.learner.architecture().items():
            parameter.grad = gradient[name]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        return notes

    def _curvature(self, batch: Batch) -> float:
        """Return the largest eigenvalue of the Hessian of the architecture's objective.

        On half a batch, as float64 takes twice the memory.
        """
        # float64, because the kernels can be differentiated only once: Hessian-vector products are
        # differences of gradients, and in float32 they need steps over which the gradients of ReLU
        # and max pooling jump.
        learner = copy.deepcopy(self.learner).double().requires_grad_(False)
        half = batch.first(max(2, len(batch.labels) // 2)).double()
        parameters = {
            name: value.detach().double() for name, value in self.learner.architecture().items()
        }
        # Lanczos iteration works on one vector of all parameters, [sum of edges * operations].
        names, sizes = list(parameters), [value.numel() for value in parameters.values()]

        def gradient(at: Tensor) -> Tensor:
            values = {
                name: part.view_as(parameters[name]).requires_grad_()
                for name, part in zip(names, at.detach().split(sizes), strict=True)
            }
            # True selects the objective of the architecture step.
            losses: Losses = functional_call(learner, values, (half, True))
            partials = gradients(losses.objective, values, mean_over_ranks)
            return torch.cat([partials[name].flatten() for name in names])

        at = torch.cat([value.flatten() for value in parameters.values()])
        return largest_eigenvalue(gradient, at, derived_seed(self.seed, self.current_epoch))

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
        regularise = self.regularise

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            value = objective(weights, architecture)
            notes["architecture_loss"] = value.detach()
            if regularise is None:
                return value
            # The relaxation gets the tensors that the gradient is taken of, not the module's
            # parameters.
            kinds = self.network.architecture.keys()
            parameters = dict(zip(kinds, architecture.values(), strict=True))
            return value + regularise(self.network.relaxation(parameters))

        return loss

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
        hits = (losses.logits.argmax(1) == batch.labels).float().mean()
        return {"train_loss": losses.objective.detach(), "train_accuracy": hits}
