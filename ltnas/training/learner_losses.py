"""Losses and logits of a learner as functions of weights and architecture parameters."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property

from torch import Tensor
from torch.func import functional_call

from ltnas.axes.differentiation import Tensors, detached
from ltnas.data.stream import Batch
from ltnas.models.statistics import frozen_criteria
from ltnas.objectives import Losses
from ltnas.training.learner import Learner

Context = Callable[[], AbstractContextManager[object]]
"""Makes the context of a forward pass, for mixed precision."""
Loss = Callable[[Tensors, Tensors], Tensor]
"""Loss, a scalar, as a function of weights and architecture parameters by name."""


class LearnerLosses:
    """Makes functions of the parameters of a learner.

    The parameters are arguments of the functions, so that moved ones can be tried out while the
    learner keeps its own.

    Args:
        learner: model and objectives.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner

    def weights(self) -> Tensors:
        """Return the weights by name, detached: no gradient of them is computed."""
        return detached(dict(self.learner.weights()))

    def objective(self, batch: Batch, context: Context, of_architecture: bool = False) -> Loss:
        """Return an objective as a function of weights and architecture parameters.

        The backward pass runs outside of autocast, as PyTorch recommends.

        Args:
            batch: images and labels.
            context: makes the context of the forward pass.
            of_architecture: True for the objective of the architecture step.
        """

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            arguments = (batch, of_architecture)
            parameters = weights | self._own(architecture)
            with context():
                losses: Losses = functional_call(self.learner, parameters, arguments)
            return losses.objective

        return loss

    def trial(self, batch: Batch, context: Context, of_architecture: bool = False) -> Loss:
        """Return an objective for passes beside the step that is taken on the batch.

        What a loss counts over the batches of a run is left alone; see `objective`.
        """
        objective = self.objective(batch, context, of_architecture)

        def loss(weights: Tensors, architecture: Tensors) -> Tensor:
            with frozen_criteria(self.learner):
                return objective(weights, architecture)

        return loss

    def at_fixed_architecture(self, batch: Batch) -> Losses:
        """Return the losses of a weight step, which needs no gradient of the architecture.

        Args:
            batch: images and labels.
        """
        losses: Losses = functional_call(self.learner, self.fixed_architecture(), (batch,))
        return losses

    def fixed_architecture(self) -> Tensors:
        """Return the architecture parameters by name, detached."""
        return detached(self.learner.architecture())

    def logits(
        self, images: Tensor, context: Context, weights: Tensors, architecture: Tensors
    ) -> Tensor:
        """Return the logits of images [B, 3, H, W] in fp32 or wider, [B, classes].

        Args:
            images: images.
            context: makes the context of the forward pass.
            weights: weights by name.
            architecture: architecture parameters by name.
        """
        parameters = {
            name.removeprefix("model."): value
            for name, value in (weights | self._own(architecture)).items()
            if name.startswith("model.")
        }
        with context():
            logits: Tensor = functional_call(self.learner.model, parameters, (images,))
        return logits if logits.dtype.itemsize >= 4 else logits.float()

    def _own(self, architecture: Tensors) -> Tensors:
        """Return the parameters that the learner has: a discrete network has no architecture."""
        return {name: value for name, value in architecture.items() if name in self._names}

    @cached_property
    def _names(self) -> frozenset[str]:
        """Names of the learner's parameters."""
        return frozenset(name for name, _ in self.learner.named_parameters())
