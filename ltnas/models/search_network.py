"""The model that a search trains: supernet, classifier, architecture parameters, relaxation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ltnas.axes.auxiliary_skip import AuxiliarySkip
from ltnas.axes.edges import normalised_edges
from ltnas.axes.masks import EdgeMasks
from ltnas.axes.relaxations import Relaxation, initial_parameters
from ltnas.config import Macro, StackedCells
from ltnas.models.branches import BranchedModel, Trunk
from ltnas.models.build_supernet import build_supernet
from ltnas.models.cell_design import CellDesign
from ltnas.models.classifiers import MakeClassifier
from ltnas.models.sources import EdgeWeights
from ltnas.models.supernet import Supernet
from ltnas.space.edge_masks import Masks
from ltnas.space.layout import StateShape, edges


class SearchNetwork(BranchedModel):
    """A supernet whose mixing weights come from architecture parameters.

    It owns the architecture parameters; the relaxation maps them to mixing weights, and the
    supernet receives only those.

    Args:
        supernet: everything from images to the last state.
        classifier: features [B, feature_size] to logits [B, classes].
        relaxation: maps architecture parameters to mixing weights.
        architecture: architecture parameters by kind of cell, each [edges, operations]; empty for a
            relaxation without parameters.
        edge_parameters: parameters of normalised edges by kind of cell, each [edges]; None: the
            edges have no weights of their own.
        auxiliary_skip: weight of the auxiliary skip connections; None: there are none.
    """

    def __init__(
        self,
        supernet: Supernet,
        classifier: nn.Module,
        relaxation: Relaxation,
        architecture: nn.ParameterDict,
        edge_parameters: nn.ParameterDict | None = None,
        auxiliary_skip: AuxiliarySkip | None = None,
    ) -> None:
        super().__init__()
        # Both branches have the same architecture parameters; only weights are separate.
        self.branch_depth = supernet.branch_depth
        self.feature_size = supernet.state_channels * self.branches
        self.supernet, self.classifier = supernet, classifier
        self.relaxation, self.architecture = relaxation, architecture
        self.edge_parameters, self.auxiliary_skip = edge_parameters, auxiliary_skip
        self.masks = EdgeMasks(supernet.masks)
        self._given: Mapping[str, Tensor] | None = None

    def sharing(self, supernet: Supernet, classifier: nn.Module) -> SearchNetwork:
        """Return a network of another supernet and classifier with this one's architecture.

        Architecture parameters, relaxation and what belongs to edges are the same modules in both.

        Args:
            supernet: supernet like that of this network.
            classifier: features [B, feature_size] to logits [B, classes].
        """
        return SearchNetwork(
            supernet,
            classifier,
            self.relaxation,
            self.architecture,
            edge_parameters=self.edge_parameters,
            auxiliary_skip=self.auxiliary_skip,
        )

    # --- parameters -----------------------------------------------------------------------------

    def architecture_parameters(self) -> dict[str, Tensor]:
        """Return the architecture parameters by kind of cell, [edges, operations]."""
        return dict(self.architecture.items())

    def named_architecture(self) -> dict[str, Tensor]:
        """Return the parameters of operations and edges by their names in this module."""
        named = {f"architecture.{kind}": value for kind, value in self.architecture.items()}
        if self.edge_parameters is not None:
            parameters = self.edge_parameters.items()
            named |= {f"edge_parameters.{kind}": value for kind, value in parameters}
        return named

    def weight_parameters(self) -> dict[str, nn.Parameter]:
        """Return all parameters except those of the architecture, by name."""
        architecture = self.named_architecture()
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if name not in architecture
        }

    def relaxed(self, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the mixing weights of each kind of cell, [edges, operations]; 0 where masked.

        Args:
            parameters: architecture parameters by kind of cell, [edges, operations].
        """
        weights: dict[str, Tensor] = self.relaxation(self.masks.masked(parameters))
        return weights

    def mixing_weights(self) -> dict[str, Tensor]:
        """Return the mixing weights of this network's own architecture parameters."""
        return self.relaxed(self.architecture_parameters())

    @contextmanager
    def given_weights(self, mixing: Mapping[str, Tensor] | None) -> Iterator[None]:
        """Compute with these mixing weights instead of those of the relaxation; None: with those.

        For callers that reach the network through an objective, which passes images alone.

        Args:
            mixing: mixing weights of the candidate operations by kind of cell, [edges, operations].
        """
        self._given = mixing
        try:
            yield
        finally:
            self._given = None

    def existing_operations(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return 1 for the operations that an edge has and 0 for masked ones, like the weights.

        Args:
            weights: mixing weights by kind of cell, [edges, operations].
        """
        found = {}
        for kind, values in weights.items():
            mask = self.masks.mask(kind)
            found[kind] = torch.ones_like(values) if mask is None else mask.to(values.dtype)
        return found

    def expected_weights(self) -> dict[str, Tensor]:
        """Return the mixing weights without noise, detached and on the CPU."""
        parameters = self.masks.masked(self.architecture_parameters())
        return _on_cpu(self.relaxation.expected(parameters))

    def edge_weights(self) -> dict[str, Tensor]:
        """Return the weight of each edge by kind of cell, [edges]; {} if edges have none."""
        if self.edge_parameters is None:
            return {}
        return {kind: normalised_edges(values) for kind, values in self.edge_parameters.items()}

    def strengths(self) -> dict[str, Tensor]:
        """Return what selection ranks, [edges, operations], detached and on the CPU.

        The weights of operations are multiplied by those of their edges (PC-DARTS).
        """
        parameters = self.masks.masked(self.architecture_parameters())
        strengths = _on_cpu(self.relaxation.strengths(parameters))
        for kind, weights in _on_cpu(self.edge_weights()).items():
            strengths[kind] = strengths[kind] * weights[:, None]
        return strengths

    def _columns(self, weights: Mapping[str, Tensor]) -> dict[str, EdgeWeights]:
        """Return what the cells are told about their edges.

        Args:
            weights: mixing weights of the candidate operations, [edges, operations].
        """
        edge_weights = self.edge_weights()
        found = {}
        for kind, values in weights.items():
            executed = None
            if self.relaxation.one_operation:
                executed = tuple(values.detach().argmax(-1).tolist())
            parts = [values]
            if self.auxiliary_skip is not None:
                parts.append(self.auxiliary_skip.strength.expand(len(values), 1))
            if self.supernet.design.partial_channels > 1:
                parts.append(values.new_ones(len(values), 1))  # of the channels that bypass
            columns = torch.cat(parts, 1) if len(parts) > 1 else values
            if kind in edge_weights:
                columns = columns * edge_weights[kind][:, None]
            found[kind] = EdgeWeights(columns, executed)
        return found

    def set_epoch(self, epoch: int, epochs: int) -> None:
        """Update what depends on the number of the epoch, from 0, and that of all epochs."""
        self.relaxation.set_epoch(epoch, epochs)
        if self.auxiliary_skip is not None:
            self.auxiliary_skip.set_epoch(epoch, epochs)

    def details(self) -> dict[str, float]:
        """Return columns of the history that describe the state of the epoch."""
        found = self.relaxation.details()
        if self.auxiliary_skip is not None:
            found["auxiliary_skip"] = float(self.auxiliary_skip.strength)
        return found

    # --- computation ----------------------------------------------------------------------------

    def compilable(self) -> Iterable[nn.Module]:
        """Return the cells of the supernet, each of which is compiled by itself."""
        return self.supernet.compilable()

    def trunk(self, images: Tensor) -> Trunk:
        """See `Supernet.trunk`."""
        # In each pass anew: a functional call may have replaced the architecture parameters.
        weights = self.mixing_weights() if self._given is None else self._given
        return self.supernet.trunk(images, self._columns(weights))

    def tail(self, trunk: Trunk, branch: int) -> Tensor:
        """See `Supernet.tail`."""
        return self.supernet.tail(trunk, branch)

    @property
    def state_shapes(self) -> list[StateShape]:
        """Shapes of `last_states`."""
        return self.supernet.state_shapes

    def last_states(self, images: Tensor) -> list[Tensor]:
        """See `Supernet.last_states`."""
        return self.supernet.last_states(self.trunk(images))

    def forward(self, images: Tensor, mixing: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return the logits [B, classes] of images [B, 3, H, W].

        Args:
            images: images.
            mixing: mixing weights of the candidate operations by kind of cell, [edges,
                operations], or those of each cell of the kind, [cells, edges, operations]; None:
                those of the relaxation.
        """
        if mixing is None:
            return super().forward(images)
        with self.given_weights(mixing):
            return super().forward(images)


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {kind: values.detach().cpu() for kind, values in tensors.items()}


def build_search_network(
    *,
    design: CellDesign,
    channels: int,
    cells: int,
    classes: int,
    relaxation: Relaxation,
    initial_deviation: float,
    edge_deviation: float | None = None,
    auxiliary_skip: AuxiliarySkip | None = None,
    masks: Masks | None = None,
    checkpointed: bool = False,
    classifier: MakeClassifier = nn.Linear,
    branch_depth: int | None = None,
    macro: Macro | None = None,
    stem: str = "cifar",
) -> SearchNetwork:
    """Build a search network with weights drawn from torch's generator.

    Args:
        design: what the edges of the supernet have.
        channels: channels of the first cell.
        cells: number of cells; of convolution cells in a broad supernet.
        classes: number of classes.
        relaxation: maps architecture parameters to mixing weights.
        initial_deviation: standard deviation of the initial architecture parameters.
        edge_deviation: standard deviation of the initial parameters of normalised edges; None: the
            edges have no weights of their own.
        auxiliary_skip: weight of the auxiliary skip connections; None: there are none.
        masks: see `Supernet`.
        checkpointed: see `Supernet`.
        classifier: makes a classifier from the size of features and the number of classes.
        branch_depth: see `Supernet`.
        macro: value on the macro axis; None: stacked cells.
        stem: see `Supernet`.
    """
    supernet = build_supernet(
        macro or StackedCells(),
        design=design,
        channels=channels,
        cells=cells,
        masks=masks,
        checkpointed=checkpointed,
        branch_depth=branch_depth,
        stem=stem,
    )
    features = supernet.state_channels * (1 if branch_depth is None else 2)
    # The order of drawing is part of what a seed means: supernet, classifier, architecture, edges.
    head = classifier(features, classes)
    rows = len(edges(design.nodes))
    kinds = tuple(supernet.masks) if relaxation.has_parameters else ()
    architecture = initial_parameters(initial_deviation, kinds, rows, len(design.operations))
    edge_parameters = None
    if edge_deviation is not None:
        edge_parameters = initial_parameters(edge_deviation, tuple(supernet.masks), rows)
    return SearchNetwork(
        supernet,
        head,
        relaxation,
        architecture,
        edge_parameters=edge_parameters,
        auxiliary_skip=auxiliary_skip,
    )
