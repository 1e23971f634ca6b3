"""The oracle of the supernet: one module an operation and edge, as the equations are written."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ltnas.axes.relaxations import Relaxation
from ltnas.config import StackedCells
from ltnas.models.operations import operation
from ltnas.space.layout import CellPlan, cell_plans, edges

ARCHITECTURE = "architecture."
"""What the names of architecture parameters begin with."""


class MixedOperation(nn.Module):
    """Sum over candidate operations of weight times output (DARTS, equation 2)."""

    def __init__(self, operations: list[str], channels: int, stride: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(_normalised(name, channels, stride) for name in operations)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """State [B, C, H, W] and mixing weights [operations] to [B, C, H / stride, W / stride]."""
        terms = [
            weight * candidate(x)
            for weight, candidate in zip(weights, self.operations, strict=True)
        ]
        mixed: Tensor = sum(terms[1:], terms[0])
        return mixed


def _normalised(name: str, channels: int, stride: int) -> nn.Module:
    """Pools are normalised in the supernet, so that no operation wins by its scale."""
    if name == "skip_connect" and stride == 2:
        return FactorizedReduce(channels, channels)
    module = operation(name, channels, stride, affine=False)
    if "pool" in name:
        return nn.Sequential(module, nn.BatchNorm2d(channels, affine=False))
    return module


class FactorizedReduce(nn.Module):
    """ReLU, then two 1x1 convolutions of stride 2, one a pixel off, side by side, normalised."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(inputs, outputs // 2, 1, bias=False)
        self.conv_2 = nn.Conv2d(inputs, outputs // 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] to [B, outputs, H / 2, W / 2]; H and W even."""
        x = self.relu(x)
        halves = self.conv_1(x[:, :, ::2, ::2]), self.conv_2(x[:, :, 1::2, 1::2])
        y: Tensor = self.bn(torch.cat(halves, dim=1))
        return y


def _preprocess(inputs: int, outputs: int, reduces: bool) -> nn.Module:
    """Fits a cell's input to its width and size."""
    if reduces:
        return FactorizedReduce(inputs, outputs)
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs, affine=False)
    )


class SupernetCell(nn.Module):
    """A cell in which every node sums a mixed operation from every state before it."""

    def __init__(self, plan: CellPlan, operations: list[str], nodes: int) -> None:
        super().__init__()
        self.preprocess0 = _preprocess(plan.before_previous, plan.channels, plan.follows_reduction)
        self.preprocess1 = _preprocess(plan.previous, plan.channels, reduces=False)
        self.edges = edges(nodes)
        self.nodes = nodes
        self.mixed = nn.ModuleList(
            MixedOperation(operations, plan.channels, 2 if plan.reduction and source < 2 else 1)
            for _, source in self.edges
        )

    def forward(self, before: Tensor, previous: Tensor, weights: Tensor) -> Tensor:
        """Two states and mixing weights [edges, operations] to [B, nodes * C, H', W']."""
        states = [self.preprocess0(before), self.preprocess1(previous)]
        for node in range(2, 2 + self.nodes):
            terms = [
                self.mixed[row](states[source], weights[row])
                for row, (target, source) in enumerate(self.edges)
                if target == node
            ]
            states.append(sum(terms[1:], terms[0]))
        return torch.cat(states[2:], dim=1)


class Supernet(nn.Module):
    """All architectures of the space in one network (DARTS, section 2.2).

    Args:
        operations: candidate operations of each edge.
        nodes: intermediate nodes of a cell.
        channels: of the first cell.
        cells: in the stack.
        classes: of the classifier.
        relaxation: architecture parameters by kind of cell to mixing weights.
        initial_deviation: of the normal distribution that architecture parameters start from.
    """

    def __init__(
        self,
        operations: list[str],
        nodes: int,
        channels: int,
        cells: int,
        classes: int,
        relaxation: Relaxation,
        initial_deviation: float,
    ) -> None:
        super().__init__()
        self.operation_names, self.nodes = tuple(operations), nodes
        self.relaxation = relaxation
        self.masks: dict[str, Tensor] = {}
        stem = 3 * channels
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)
        )
        plans = cell_plans(channels, cells, dict.fromkeys(StackedCells.kinds, nodes), stem, stem)
        self.cells = nn.ModuleList(SupernetCell(plan, operations, nodes) for plan in plans)
        self.kinds = [plan.kind for plan in plans]
        self.feature_size = plans[-1].channels * nodes
        self.classifier = nn.Linear(self.feature_size, classes)
        shape = len(edges(nodes)), len(operations)
        self.architecture = nn.ParameterDict(
            {
                name: nn.Parameter(initial_deviation * torch.randn(shape))
                for name in StackedCells.kinds
            }
        )

    def architecture_parameters(self) -> dict[str, Tensor]:
        """`normal` and `reduce`, each [edges, operations]."""
        return dict(self.architecture.items())

    def weight_parameters(self) -> dict[str, nn.Parameter]:
        """All parameters but the architecture's, by name."""
        return {
            name: parameter
            for name, parameter in self.named_parameters()
            if not name.startswith(ARCHITECTURE)
        }

    def mixing_weights(self) -> dict[str, Tensor]:
        """Relaxed architecture parameters of each kind of cell, [edges, operations]."""
        parameters = self.architecture_parameters()
        for name, mask in self.masks.items():
            parameters[name] = torch.where(mask, parameters[name], -torch.inf)
        return self.relaxation(parameters)

    def features(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] to pooled features [B, feature_size]."""
        weights = self.mixing_weights()
        before = previous = self.stem(images)
        for name, cell in zip(self.kinds, self.cells, strict=True):
            before, previous = previous, cell(before, previous, weights[name])
        pooled: Tensor = previous.mean((2, 3))
        return pooled

    def predictions(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits [B, classes], alone: a supernet has no auxiliary classifier."""
        return (self(images),)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] to logits [B, classes]."""
        logits: Tensor = self.classifier(self.features(images))
        return logits
