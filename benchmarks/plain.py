"""Search steps of the original DARTS code: all gradients in every pass, one tensor at a time."""

from __future__ import annotations

import torch
from torch import nn

from ltnas.axes.regularisers import Regularise
from ltnas.config import ArchitectureOptimiser, WeightOptimiser
from ltnas.data.stream import Batch
from ltnas.objectives import Objective


class PlainSearch:
    """Alternating steps on a model with one module for each edge and operation.

    Tensors are NCHW and float32, and execution is eager.

    Args:
        model: supernet with the attributes `architecture` and `mixing_weights`.
        objective: objective of both kinds of steps.
        regularise: function that returns a loss term of the mixing weights, or None.
    """

    def __init__(
        self, model: nn.Module, objective: Objective, regularise: Regularise | None
    ) -> None:
        self.model, self.objective, self.regularise = model, objective, regularise
        self.architecture = list(model.architecture.values())
        own = {id(parameter) for parameter in self.architecture}
        self.weights = [
            *(parameter for parameter in model.parameters() if id(parameter) not in own),
            *objective.parameters(),
        ]
        weights, architecture = WeightOptimiser(), ArchitectureOptimiser()
        self.clip = weights.clip
        self.weight_optimiser = torch.optim.SGD(
            self.weights,
            lr=weights.learning_rate,
            momentum=weights.momentum,
            weight_decay=weights.weight_decay,
            foreach=False,
        )
        self.architecture_optimiser = torch.optim.Adam(
            self.architecture,
            lr=architecture.learning_rate,
            betas=(architecture.beta1, architecture.beta2),
            weight_decay=architecture.weight_decay,
            foreach=False,
        )

    def weight_step(self, batch: Batch) -> float:
        """Update the weights and return the loss, waiting for it as the original does."""
        self.weight_optimiser.zero_grad()
        losses = self.objective(self.model, batch)
        total = losses.objective if losses.probe is None else losses.objective + losses.probe
        total.backward()
        nn.utils.clip_grad_norm_(self.weights, self.clip, foreach=False)
        self.weight_optimiser.step()
        return losses.objective.item()

    def architecture_step(self, batch: Batch) -> None:
        """Update the architecture parameters.

        The weights get gradients too, which the next weight step discards, as in the original.
        """
        self.architecture_optimiser.zero_grad()
        loss = self.objective(self.model, batch).objective
        if self.regularise is not None:
            loss = loss + self.regularise(
                self.model.architecture_parameters(), self.model.mixing_weights()
            )
        loss.backward()
        self.architecture_optimiser.step()
