"""Losses of a search network: those of a learner, with regulariser and mixing weights."""

from __future__ import annotations

from torch import Tensor

from ltnas.axes.differentiation import Tensors
from ltnas.axes.perturbations import MixingLoss
from ltnas.axes.regularisers import Regularise
from ltnas.data.stream import Batch
from ltnas.models.search_network import SearchNetwork
from ltnas.training.graphs import Notes
from ltnas.training.learner import Learner
from ltnas.training.learner_losses import Context, LearnerLosses, Loss


class SearchLosses(LearnerLosses):
    """Makes the loss functions of the steps of a search.

    Args:
        learner: search network and objectives.
        regularise: term on the mixing weights in the loss of the architecture; None: there is none.
    """

    def __init__(self, learner: Learner, regularise: Regularise | None) -> None:
        super().__init__(learner)
        assert isinstance(learner.model, SearchNetwork)
        self.network, self.regularise = learner.model, regularise

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
        trial, weights = self.trial(batch, context), self.weights()
        fixed = self.fixed_architecture()

        def loss(mixing: Tensors) -> Tensor:
            with self.network.given_weights(mixing):
                return trial(weights, fixed)

        return loss
