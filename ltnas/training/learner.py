"""A model and what it minimises, as one module: the unit of gradients and checkpoints."""

from __future__ import annotations

from torch import Tensor, nn

from ltnas.data.stream import Batch
from ltnas.models.branches import BranchedModel
from ltnas.objectives import Losses, Objective


class Learner(nn.Module):
    """`forward(batch) -> Losses` of a search network or discrete network under an objective.

    Args:
        model: model to train.
        objective: objective of the weight step.
        architecture_objective: objective of the architecture step; it may be the same module.
    """

    def __init__(
        self,
        model: BranchedModel,
        objective: Objective,
        architecture_objective: Objective | None = None,
    ) -> None:
        super().__init__()
        self.model, self.objective = model, objective
        # One module is registered once: its parameters would have two names otherwise.
        shared = architecture_objective is objective
        self.architecture_objective = None if shared else architecture_objective

    def set_progress(self, progress: float) -> None:
        """Tell the objectives which share of the run, in [0, 1), is over."""
        self.objective.set_progress(progress)
        if self.architecture_objective is not None:
            self.architecture_objective.set_progress(progress)

    def architecture(self) -> dict[str, Tensor]:
        """Return the architecture parameters by name; none for a discrete network."""
        return {f"model.{name}": value for name, value in self.model.named_architecture().items()}

    def weights(self) -> dict[str, nn.Parameter]:
        """Return all parameters that learn, except the architecture parameters, by name."""
        architecture = self.architecture()
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if parameter.requires_grad and name not in architecture
        }

    def clip_groups(self) -> list[list[nn.Parameter]]:
        """Return the weights in groups, each of which has its gradient clipped by itself.

        A probe is a group of its own: were its gradient clipped with the others', labels would
        scale the steps of features that are meant not to depend on them.
        """
        weights = list(self.weights().values())
        if not self.objective.probes:
            return [weights]
        # Compared by identity: `in` would compare tensors element by element.
        probe = {id(parameter) for parameter in self.model.classifier.parameters()}
        parts = [
            [parameter for parameter in weights if (id(parameter) in probe) is inside]
            for inside in (False, True)
        ]
        # A simplex classifier has no parameters, and an empty group has no norm.
        return [part for part in parts if part]

    def forward(self, batch: Batch, of_architecture: bool = False) -> Losses:
        """Return the losses of a batch.

        Args:
            batch: images and labels.
            of_architecture: True for the objective of the architecture step.
        """
        objective = self.architecture_objective if of_architecture else None
        losses: Losses = (objective or self.objective)(self.model, batch)
        return losses
