"""Supernet search: the architecture step, then the weight step (DARTS, algorithm 1)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.func import functional_call

from ltnas.axes.gradients import Loss, Tensors, first_order, gradients, second_order
from ltnas.axes.regularisers import Regularise
from ltnas.axes.schedules import scheduled, weight_rate
from ltnas.axes.selection import entropy, select
from ltnas.config import (
    ArchitectureOptimiser,
    Gradient,
    Schedule,
    SecondOrder,
    Selection,
    WeightOptimiser,
)
from ltnas.data.seeds import derived_seed
from ltnas.data.stream import Batch
from ltnas.data.test_sets import TestSets
from ltnas.diagnostics.curvature import largest_eigenvalue
from ltnas.diagnostics.discretisation import distance
from ltnas.distributed.collectives import mean_over_ranks
from ltnas.models.operations import PARAMETRIC
from ltnas.models.statistics import frozen_statistics
from ltnas.models.supernet import ARCHITECTURE, Supernet
from ltnas.objectives import Losses
from ltnas.training.learner import Learner
from ltnas.training.monitor import MeasuringModule
from ltnas.training.optimisation import architecture_optimiser, descend, set_rate, weight_optimiser

Context = Callable[[], AbstractContextManager[object]]
"""Makes the context of a forward pass."""


class SearchModule(MeasuringModule):
    """Orders the steps of a bilevel search; what a step is, is said by the parts it is given.

    Args:
        learner: supernet and objective.
        regularise: term on the mixing weights in the architecture step, or None.
        gradient: value on the axis of architecture gradients.
        schedule: of the architecture's learning rate.
        selection: how the history's genotypes are derived.
        weights: constants of the weights' optimiser.
        architecture: constants of the architecture's optimiser.
        hessian_every: epochs between measurements of the Hessian's largest eigenvalue; 0: none.
        epochs: of the whole search.
        tests: what is tested after each epoch.
        seed: of the run.
        autocast: makes the context of a forward pass, for mixed precision.
    """

    learner: Learner

    def __init__(
        self,
        learner: Learner,
        regularise: Regularise | None,
        gradient: Gradient,
        schedule: Schedule,
        selection: Selection,
        weights: WeightOptimiser,
        architecture: ArchitectureOptimiser,
        hessian_every: int,
        epochs: int,
        tests: TestSets,
        seed: int,
        autocast: Context,
    ) -> None:
        super().__init__(learner, tests, seed)
        self.regularise, self.gradient, self.autocast = regularise, gradient, autocast
        self.schedule, self.selection = schedule, selection
        self.weights_config, self.architecture_config = weights, architecture
        self.hessian_every, self.epochs = hessian_every, epochs
        self.curvature: dict[str, float] = {}

    @property
    def supernet(self) -> Supernet:
        """The model of the learner."""
        assert isinstance(self.learner.model, Supernet)
        return self.learner.model

    def epoch_details(self) -> dict[str, float | int]:
        """The mixing weights, what the genotype of this moment is made of, and the curvature."""
        mixing = {
            name: value.detach().cpu() for name, value in self.supernet.mixing_weights().items()
        }
        genotype, _ = select(self.selection, mixing, self.supernet.operation_names)
        return {
            "architecture_rate": self._optimisers()[1].param_groups[0]["lr"],
            **{f"entropy_{name}": entropy(value) for name, value in mixing.items()},
            "skip_connections": genotype.count("skip_connect"),
            "parametric_operations": genotype.count(*PARAMETRIC),
            "skip_share_normal": genotype.normal.share("skip_connect"),
            "discretisation_distance": distance(
                mixing, genotype, self.supernet.operation_names, self.supernet.nodes
            ),
            **self.curvature,
        }

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """SGD on the weights, Adam on the architecture parameters; nothing is in both."""
        return [
            weight_optimiser(self.learner.weights().values(), self.weights_config),
            architecture_optimiser(self.supernet.architecture.values(), self.architecture_config),
        ]

    def _optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Without Lightning's wrappers, which would count two global steps a batch."""
        weights, architecture = self.trainer.optimizers
        return weights, architecture

    def on_train_epoch_start(self) -> None:
        """Set both learning rates by the epoch alone."""
        super().on_train_epoch_start()
        self.curvature = {}
        self.learner.set_progress(self.current_epoch / self.epochs)
        rate = weight_rate(self.weights_config, self.current_epoch, self.epochs)
        first = self.architecture_config.learning_rate
        own = scheduled(self.schedule, self.current_epoch, self.epochs, first)
        for optimiser, value in zip(self._optimisers(), (rate, own), strict=True):
            set_rate(optimiser, value)

    def training_step(self, batches: dict[str, Batch], index: int) -> None:
        """One bilevel step."""
        weight_optimiser, architecture_optimiser = self._optimisers()
        found = self._architecture_gradient(batches)
        for name, parameter in self._architecture().items():
            parameter.grad = found[name]
        architecture_optimiser.step()
        architecture_optimiser.zero_grad(set_to_none=True)
        self._weight_step(batches["weights"], weight_optimiser)
        last = index + 1 == self.trainer.num_training_batches
        if last and self.hessian_every and (self.current_epoch + 1) % self.hessian_every == 0:
            self.curvature = {"largest_eigenvalue": self._curvature(batches["architecture"])}

    def _curvature(self, batch: Batch) -> float:
        """Of the architecture's objective on half a batch: float64 takes twice the room."""
        learner = copy.deepcopy(self.learner).double().requires_grad_(False)
        half = batch.first(max(2, len(batch.labels) // 2)).double()
        named = {name: value.detach().double() for name, value in self._architecture().items()}
        names, sizes = list(named), [value.numel() for value in named.values()]

        def gradient(at: Tensor) -> Tensor:
            values = {
                name: part.view_as(named[name]).requires_grad_()
                for name, part in zip(names, at.detach().split(sizes), strict=True)
            }
            losses: Losses = functional_call(learner, values, (half, True))
            found = gradients(losses.objective, values, mean_over_ranks)
            return torch.cat([found[name].flatten() for name in names])

        at = torch.cat([value.flatten() for value in named.values()])
        return largest_eigenvalue(gradient, at, derived_seed(self.seed, self.current_epoch))

    def _architecture(self) -> Tensors:
        """Architecture parameters by their names in the learner."""
        return {
            f"model.{ARCHITECTURE}{name}": parameter
            for name, parameter in self.supernet.architecture_parameters().items()
        }

    def _weights(self) -> Tensors:
        """Weights by their names in the learner, detached: no gradient of them is computed."""
        return {name: parameter.detach() for name, parameter in self.learner.weights().items()}

    def _training_loss(self, batch: Batch, context: Context, of_architecture: bool = False) -> Loss:
        """The objective; `context` is around the forward pass alone."""

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            arguments = (batch, of_architecture)
            with context():
                losses: Losses = functional_call(self.learner, weights | architecture, arguments)
            return losses.objective

        return loss

    def _validation_loss(self, batch: Batch, context: Context) -> Loss:
        """The objective, noted, and the regulariser."""
        objective = self._training_loss(batch, context, of_architecture=True)

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            value = objective(weights, architecture)
            self.note(architecture_loss=value)
            if self.regularise is None:
                return value
            mixing = {name: self.supernet.relax(alpha) for name, alpha in architecture.items()}
            return value + self.regularise(mixing)

        return loss

    def _architecture_gradient(self, batches: dict[str, Batch]) -> Tensors:
        with frozen_statistics(self.learner):
            if isinstance(self.gradient, SecondOrder):
                return self._second_order(batches, self.gradient)
            return first_order(
                self._validation_loss(batches["architecture"], self.autocast),
                self._weights(),
                self._architecture(),
                mean_over_ranks,
            )

    def _second_order(self, batches: dict[str, Batch], gradient: SecondOrder) -> Tensors:
        """In full precision: differences of perturbed passes vanish in half of it."""
        optimiser = self._optimisers()[0]
        buffers = {
            name: optimiser.state.get(parameter, {}).get("momentum_buffer")
            for name, parameter in self.learner.weights().items()
        }
        return second_order(
            self._training_loss(batches["weights"], nullcontext),
            self._validation_loss(batches["architecture"], nullcontext),
            self._weights(),
            self._architecture(),
            rate=optimiser.param_groups[0]["lr"],
            momentum=self.weights_config.momentum,
            weight_decay=self.weights_config.weight_decay,
            velocity={name: buffer for name, buffer in buffers.items() if buffer is not None},
            perturbation=gradient.perturbation,
            average=mean_over_ranks,
        )

    def _weight_step(self, batch: Batch, optimiser: torch.optim.Optimizer) -> None:
        # Constant architecture parameters: the weight step needs no gradient of them.
        fixed = {name: alpha.detach() for name, alpha in self._architecture().items()}
        with self.autocast():
            losses: Losses = functional_call(self.learner, fixed, (batch,))
        descend(losses.total, self.learner.clip_groups(), optimiser, self.weights_config.clip)
        hits = (losses.logits.argmax(1) == batch.labels).float().mean()
        self.note(train_loss=losses.objective, train_accuracy=hits)
