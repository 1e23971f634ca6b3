"""Losses of a search as functions of weights, architecture parameters or mixing weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from torch import Tensor
from torch.func import functional_call

from ltnas.axes.gradients import Loss, Tensors
from ltnas.axes.perturbations import MixingLoss
from ltnas.axes.regularisers import Regularise
from ltnas.data.stream import Batch
from ltnas.models.search_network import SearchNetwork
from ltnas.models.statistics import frozen_criteria
from ltnas.objectives import Losses
from ltnas.training.graphs import Notes
from ltnas.training.learner import Learner

Context = Callable[[], AbstractContextManager[object]]
"""Makes the context of a forward pass, for mixed precision."""


class SearchLosses:
    """Makes the loss functions of the steps of a search.

    The parameters are arguments of the functions, so that moved ones can be tried out while the
    learner keeps its own.

    Args:
        learner: search network and objectives.
        regularise: term on the mixing weights in the loss of the architecture; None: there is none.
    """

    def __init__(self, learner: Learner, regularise: Regularise | None) -> None:
        assert isinstance(learner.model, SearchNetwork)
        self.learner, self.network, self.regularise = learner, learner.model, regularise

    def weights(self) -> Tensors:
        """Return the weights by name, detached: no gradient of them is computed."""
        return {name: parameter.detach() for name, parameter in self.learner.weights().items()}

    def objective(self, batch: Batch, context: Context, of_architecture: bool) -> Loss:
        """Return an objective as a function of weights and architecture parameters.

        The backward pass runs outside of autocast, as PyTorch recommends.

        Args:
            batch: images and labels.
            context: makes the context of the forward pass.
            of_architecture: True for the objective of the architecture step.
        """

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            arguments = (batch, of_architecture)
            with context():
                losses: Losses = functional_call(self.learner, weights | architecture, arguments)
            return losses.objective

        return loss

    def trial(self, batch: Batch, context: Context, of_architecture: bool) -> Loss:
        """Return an objective for passes beside the step that is taken on the batch.

        What a loss counts over the batches of a run is left alone; see `objective`.
        """
        objective = self.objective(batch, context, of_architecture)

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            with frozen_criteria(self.learner):
                return objective(weights, architecture)

        return loss

    def validation(self, batch: Batch, context: Context, notes: Notes) -> Loss:
        """Return the loss of the architecture step: the objective, noted, and the regulariser."""
        objective = self.objective(batch, context, of_architecture=True)

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            value = objective(weights, architecture)
            notes["architecture_loss"] = value.detach()
            return value if self.regularise is None else value + self.regulariser(architecture)

        return loss

    def regulariser(self, architecture: Tensors) -> Tensor:
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

    def of_mixing_weights(self, batch: Batch, context: Context) -> MixingLoss:
        """Return the objective of the weight step as a function of the mixing weights.

        Args:
            batch: images and labels.
            context: makes the context of the forward pass.
        """
        trial, weights = self.trial(batch, context, of_architecture=False), self.weights()
        fixed = {name: value.detach() for name, value in self.learner.architecture().items()}

        def loss(mixing: Tensors) -> Tensor:
            with self.network.given_weights(mixing):
                return trial(weights, fixed)

        return loss
