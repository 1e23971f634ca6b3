"""The discrete network of a genotype (DARTS, section 3.1.2), for any number of inputs a node."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ltnas.models.branches import BranchedModel
from ltnas.models.classifiers import MakeClassifier
from ltnas.models.operation_kernels import run_operation
from ltnas.models.operations import DropPath, operation, preprocess_before, preprocess_previous
from ltnas.space.genotype import CellGenotype, Genotype, live_edges, output_nodes
from ltnas.space.layout import CellPlan, cell_plans, kind


class Cell(nn.Module):
    """One cell: each node sums the operations that lead to it."""

    def __init__(self, plan: CellPlan, genotype: CellGenotype) -> None:
        super().__init__()
        self.preprocess0 = preprocess_before(plan, affine=True)
        self.preprocess1 = preprocess_previous(plan, affine=True)
        self.edges = live_edges(genotype)
        self.operations = nn.ModuleList(
            operation(
                edge.operation,
                plan.channels,
                2 if plan.reduction and edge.source < 2 else 1,
                affine=True,
            )
            for edge in self.edges
        )
        self.drop_paths = nn.ModuleList(
            nn.Identity() if isinstance(module, nn.Identity) else DropPath()
            for module in self.operations
        )
        self.outputs = output_nodes(genotype)

    def forward(self, before: Tensor, previous: Tensor) -> Tensor:
        """Two states to the concatenated nodes, [B, len(outputs) * C, H', W']."""
        states = {0: self.preprocess0(before), 1: self.preprocess1(previous)}
        parts = zip(self.edges, self.operations, self.drop_paths, strict=True)
        for edge, candidate, drop_path in sorted(parts, key=lambda part: part[0].node):
            term, so_far = run_operation(candidate, states[edge.source]), states.get(edge.node)
            if isinstance(drop_path, DropPath):
                states[edge.node] = drop_path(term, so_far)
            else:
                states[edge.node] = term if so_far is None else so_far + term
        return torch.cat([states[node] for node in self.outputs], dim=1)


class AuxiliaryHead(nn.Module):
    """A second classifier two thirds up, of use in training alone (DARTS, section 3.2)."""

    def __init__(
        self,
        channels: int,
        classes: int,
        imagenet: bool,
        classifier: MakeClassifier = nn.Linear,
    ) -> None:
        super().__init__()
        # The published ImageNet head lacks the second normalisation; its weights must fit.
        last: list[nn.Module] = [] if imagenet else [nn.BatchNorm2d(768)]
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=2 if imagenet else 3, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            *last,
            nn.ReLU(),
        )
        self.classifier = classifier(768, classes)

    def forward(self, state: Tensor) -> Tensor:
        """A state [B, C, H, W] to logits [B, classes]."""
        # The mean is over one position at the published image sizes, and lets others in.
        logits: Tensor = self.classifier(self.features(state).mean((2, 3)))
        return logits


def cifar_stem(channels: int) -> tuple[nn.Module, nn.Module]:
    """3 x channels at full size; both first states are the same."""
    stem = nn.Sequential(
        nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels)
    )
    return stem, nn.Identity()


def imagenet_stem(channels: int) -> tuple[nn.Module, nn.Module]:
    """Three convolutions of stride 2: the first states have a quarter and an eighth of the size."""

    def conv(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs)]

    first = nn.Sequential(*conv(3, channels // 2), nn.ReLU(), *conv(channels // 2, channels))
    return first, nn.Sequential(nn.ReLU(), *conv(channels, channels))


class Network(BranchedModel):
    """The network that is trained and used.

    Args:
        genotype: of its cells.
        channels: of the first cell.
        cells: in the stack.
        classes: of the classifier.
        auxiliary: whether there is an auxiliary classifier.
        stem: `cifar` or `imagenet`.
        classifier: makes one, and the auxiliary's, from the size of features and the number of
            classes.
        branch_depth: of two branches, 0 or 1; None: one branch.
    """

    def __init__(
        self,
        genotype: Genotype,
        channels: int,
        cells: int,
        classes: int,
        auxiliary: bool,
        stem: str = "cifar",
        classifier: MakeClassifier = nn.Linear,
        branch_depth: int | None = None,
    ) -> None:
        super().__init__()
        self.branch_depth = branch_depth
        imagenet = stem == "imagenet"
        self.stem, self.stem1 = (imagenet_stem if imagenet else cifar_stem)(channels)
        width = channels if imagenet else 3 * channels
        widths = {name: len(output_nodes(genotype.cell(name))) for name in ("normal", "reduce")}
        plans = cell_plans(channels, cells, widths, width, width, stem_reduces=imagenet)

        def make(plan: CellPlan) -> Cell:
            return Cell(plan, genotype.cell(kind(plan.reduction)))

        self.cells = nn.ModuleList(make(plan) for plan in plans)
        self.rebalancing_cell = make(plans[-1]) if branch_depth == 1 else None
        outputs = [plan.channels * widths[kind(plan.reduction)] for plan in plans]
        self.feature_size = outputs[-1] * self.branches
        self.classifier = classifier(self.feature_size, classes)
        self.auxiliary_cell = 2 * cells // 3
        self.auxiliary_head = (
            AuxiliaryHead(outputs[self.auxiliary_cell], classes, imagenet, classifier)
            if auxiliary
            else None
        )

    def compilable(self) -> Iterable[nn.Module]:
        """The cells."""
        return (module for module in self.modules() if isinstance(module, Cell))

    def trunk(self, images: Tensor) -> tuple[Tensor, ...]:
        """The last two states before the last cell, and the one that the auxiliary head sees."""
        before = self.stem(images)
        previous = seen = self.stem1(before)
        for index, cell in enumerate(list(self.cells)[:-1]):
            before, previous = previous, cell(before, previous)
            if index == self.auxiliary_cell:
                seen = previous
        return before, previous, seen

    def tail(self, trunk: tuple[Tensor, ...], branch: int) -> Tensor:
        """The last cell."""
        own = self.rebalancing_cell if branch else None
        state: Tensor = (own or self.cells[-1])(*trunk[:2])
        return state

    def predictions(self, images: Tensor) -> tuple[Tensor, ...]:
        """Logits [B, classes] and, if there is one, those of the auxiliary classifier."""
        if self.auxiliary_head is None:
            return (self(images),)
        trunk = self.trunk(images)
        last = self.tail(trunk, 0)
        seen = last if self.auxiliary_cell == len(self.cells) - 1 else trunk[2]
        return self.classifier(last.mean((2, 3))), self.auxiliary_head(seen)
