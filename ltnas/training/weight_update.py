"""The step of a learner's weights: what it will be, and taking it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ltnas.axes.chains import WeightStep
from ltnas.axes.differentiation import Tensors
from ltnas.config import WeightOptimiser
from ltnas.training.learner import Learner
from ltnas.training.optimisation import descend


@dataclass(frozen=True)
class WeightUpdate:
    """A learner and the optimiser of its weights.

    Args:
        learner: the learner.
        optimiser: SGD on its weights.
        config: settings of the optimiser.
    """

    learner: Learner
    optimiser: torch.optim.Optimizer
    config: WeightOptimiser

    @property
    def rate(self) -> float:
        """The current learning rate; a tensor while steps are recorded."""
        rate: float = self.optimiser.param_groups[0]["lr"]
        return rate

    def next_step(self, frozen: Tensors | None = None) -> WeightStep:
        """Return the SGD step that the weights take next, for gradients that look ahead.

        Args:
            frozen: see `WeightStep`.
        """
        # SGD has no momentum buffers before its first step; a missing one counts as zero.
        buffers = {
            name: self.optimiser.state.get(parameter, {}).get("momentum_buffer")
            for name, parameter in self.learner.weights().items()
        }
        return WeightStep(
            rate=self.rate,
            momentum=self.config.momentum,
            weight_decay=self.config.weight_decay,
            velocity={name: buffer for name, buffer in buffers.items() if buffer is not None},
            frozen=frozen,
        )

    def descend(self, loss: Tensor) -> None:
        """Take a step on the gradient of a loss, averaged over ranks and clipped."""
        descend(loss, self.learner.clip_groups(), self.optimiser, self.config.clip)
