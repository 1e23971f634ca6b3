"""A model and what it minimises, as one module: what gets weights, gradients and checkpoints."""

from __future__ import annotations

from torch import nn

from ltnas.data.stream import Batch
from ltnas.models.branches import BranchedModel
from ltnas.objectives import Losses, Objective

PROBE = "model.classifier."
"""What the names of the classifier's parameters begin with."""


class Learner(nn.Module):
    """`forward(batch) -> Losses` of a supernet or network under an objective.

    Args:
        model: to learn.
        objective: of the weights.
        architecture_objective: of the architecture; the weights', if left out.
    """

    def __init__(
        self,
        model: BranchedModel,
        objective: Objective,
        architecture_objective: Objective | None = None,
    ) -> None:
        super().__init__()
        self.model, self.objective = model, objective
        self.architecture_objective = architecture_objective

    def set_progress(self, progress: float) -> None:
        """Tell the objectives which share of the run, in [0, 1), is over."""
        self.objective.set_progress(progress)
        if self.architecture_objective is not None:
            self.architecture_objective.set_progress(progress)

    def weights(self) -> dict[str, nn.Parameter]:
        """All parameters that learn, but the architecture's, by name."""
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if parameter.requires_grad and not name.startswith("model.architecture.")
        }

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """The weights, in groups whose gradients are clipped apart.

        A probe is a group of its own: were its gradient clipped with the others', labels would
        scale the steps of features that are meant not to know them.
        """
        probe = {
            name for name in self.weights() if self.objective.probes and name.startswith(PROBE)
        }
        parts = [
            [parameter for name, parameter in self.weights().items() if (name in probe) is part]
            for part in (False, True)
        ]
        return [part for part in parts if part]

    def forward(self, batch: Batch, of_architecture: bool = False) -> Losses:
        """The losses of a batch, under the objective of the weights or of the architecture."""
        own = self.architecture_objective if of_architecture else None
        losses: Losses = (own or self.objective)(self.model, batch)
        return losses
