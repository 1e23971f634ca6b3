"""The model that a search trains: supernet, classifier, architecture parameters, relaxation."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from ltnas.axes.relaxations import Relaxation, initial_parameters
from ltnas.models.branches import BranchedModel
from ltnas.models.classifiers import MakeClassifier
from ltnas.models.sources import Mask
from ltnas.models.supernet import Supernet
from ltnas.space.layout import KINDS, edges


class SearchNetwork(BranchedModel):
    """A supernet whose mixing weights come from architecture parameters.

    It owns the architecture parameters; the relaxation maps them to mixing weights, and the
    supernet receives only those.

    Args:
        supernet: everything from images to the last state.
        classifier: features [B, feature_size] to logits [B, classes].
        relaxation: maps architecture parameters to mixing weights.
        architecture: architecture parameters by kind of cell, each [edges, operations].
    """

    def __init__(
        self,
        supernet: Supernet,
        classifier: nn.Module,
        relaxation: Relaxation,
        architecture: nn.ParameterDict,
    ) -> None:
        super().__init__()
        # Both branches have the same architecture parameters; only weights are separate.
        self.branch_depth = supernet.branch_depth
        self.feature_size = supernet.state_channels * self.branches
        self.supernet, self.classifier = supernet, classifier
        self.relaxation, self.architecture = relaxation, architecture

    def architecture_parameters(self) -> dict[str, Tensor]:
        """Return the architecture parameters by kind of cell, [edges, operations]."""
        return dict(self.architecture.items())

    def named_architecture(self) -> dict[str, Tensor]:
        """Return the architecture parameters by the names that they have in this module."""
        return {f"architecture.{kind}": value for kind, value in self.architecture.items()}

    def weight_parameters(self) -> dict[str, nn.Parameter]:
        """Return all parameters except the architecture parameters, by name."""
        architecture = self.named_architecture()
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name not in architecture
        }

    def mixing_weights(self) -> dict[str, Tensor]:
        """Return the mixing weights of each kind of cell, [edges, operations]."""
        weights: dict[str, Tensor] = self.relaxation(self.architecture_parameters())
        return weights

    def expected_weights(self) -> dict[str, Tensor]:
        """Return the mixing weights without noise, detached and on the CPU."""
        weights = self.relaxation.expected(self.architecture_parameters())
        return {kind: values.detach().cpu() for kind, values in weights.items()}

    def set_progress(self, progress: float) -> None:
        """See `Relaxation.set_progress`."""
        self.relaxation.set_progress(progress)

    def compilable(self) -> Iterable[nn.Module]:
        """Return the cells of the supernet, each of which is compiled by itself."""
        return self.supernet.compilable()

    def trunk(self, images: Tensor) -> tuple[Tensor, ...]:
        """See `Supernet.trunk`."""
        # In each pass anew: a functional call may have replaced the architecture parameters.
        return self.supernet.trunk(images, self.mixing_weights())

    def tail(self, trunk: tuple[Tensor, ...], branch: int) -> Tensor:
        """See `Supernet.tail`."""
        return self.supernet.tail(trunk, branch)


def build_search_network(
    *,
    operations: list[str],
    nodes: int,
    channels: int,
    cells: int,
    classes: int,
    relaxation: Relaxation,
    initial_deviation: float,
    masks: dict[str, Mask] | None = None,
    checkpointed: bool = False,
    classifier: MakeClassifier = nn.Linear,
    branch_depth: int | None = None,
) -> SearchNetwork:
    """Build a search network with weights drawn from torch's generator.

    Args:
        operations: candidate operations of each edge.
        nodes: number of intermediate nodes of a cell.
        channels: channels of the first cell.
        cells: number of cells in the stack.
        classes: number of classes.
        relaxation: maps architecture parameters to mixing weights.
        initial_deviation: standard deviation of the initial architecture parameters.
        masks: see `Supernet`.
        checkpointed: see `Supernet`.
        classifier: makes a classifier from the size of features and the number of classes.
        branch_depth: see `Supernet`.
    """
    supernet = Supernet(
        operations=operations,
        nodes=nodes,
        channels=channels,
        cells=cells,
        masks=masks,
        checkpointed=checkpointed,
        branch_depth=branch_depth,
    )
    features = supernet.state_channels * (1 if branch_depth is None else 2)
    # The order of drawing is part of what a seed means: supernet, classifier, architecture.
    head = classifier(features, classes)
    architecture = initial_parameters(
        initial_deviation, KINDS, edges=len(edges(nodes)), operations=len(operations)
    )
    return SearchNetwork(supernet, head, relaxation, architecture)
