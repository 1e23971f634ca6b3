"""Discrete network of a genotype (DARTS, section 3.1.2); nodes may have any number of inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice

import torch
from torch import Tensor, nn

from ltnas.kernels import gpu
from ltnas.models.branches import BranchedModel
from ltnas.models.classifiers import MakeClassifier
from ltnas.models.operation_kernels import run_operation, run_together
from ltnas.models.operations import DropPath, operation, preprocess_before, preprocess_previous
from ltnas.space.genotype import CellGenotype, Genotype, live_edges, output_nodes
from ltnas.space.layout import CellPlan, cell_plans, kind


class Cell(nn.Module):
    """A cell in which each node sums the operations that enter it.

    Args:
        plan: width of the cell and of its inputs.
        genotype: edges of the cell.
    """

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
        # A skip connection of stride 1 is never dropped.
        self.droppable = [not isinstance(module, nn.Identity) for module in self.operations]
        self.outputs = output_nodes(genotype)

    def forward(self, before: Tensor, previous: Tensor, factors: Sequence[Tensor] = ()) -> Tensor:
        """Compute the cell.

        Args:
            before: output of the cell before the previous one, [B, C, H, W].
            previous: output of the previous cell, [B, C', H', W'].
            factors: factors of drop path, one for each droppable operation; () for none.

        Returns:
            The concatenated output nodes, [B, len(outputs) * channels, H'', W''].
        """
        # [B, channels, H', W'] each.
        states = {0: self.preprocess0(before), 1: self.preprocess1(previous)}
        remaining = iter(factors)
        chosen = [next(remaining, None) if droppable else None for droppable in self.droppable]
        if gpu.takes(states[1]):
            self._compute_on_gpu(states, chosen)
            return torch.cat([states[node] for node in self.outputs], dim=1)
        parts = zip(self.edges, self.operations, chosen, strict=True)
        # Node by node, as an edge may only be computed when its source is complete.
        for edge, candidate, factor in sorted(parts, key=lambda part: part[0].node):
            partial = states.get(edge.node)
            states[edge.node] = run_operation(candidate, states[edge.source], factor, partial)
        # Only the nodes that the genotype concatenates; FairDARTS may leave some out.
        return torch.cat([states[node] for node in self.outputs], dim=1)

    def _compute_on_gpu(self, states: dict[int, Tensor], factors: Sequence[Tensor | None]) -> None:
        """Add the nodes to the states: operations that leave a state are computed together."""
        terms: dict[int, list[tuple[Tensor, None]]] = defaultdict(list)

        def complete(node: int) -> None:
            if node not in states:
                (first, _), *others = terms[node]
                states[node] = gpu.weighted_sum(terms[node]) if others else first

        for source in sorted({edge.source for edge in self.edges}):
            complete(source)
            numbers = [n for n, edge in enumerate(self.edges) if edge.source == source]
            leaving = [self.operations[number] for number in numbers]
            own = [factors[number] for number in numbers]
            for number, y in zip(numbers, run_together(leaving, states[source], own), strict=True):
                terms[self.edges[number].node].append((y, None))
        for node in self.outputs:
            complete(node)


class AuxiliaryHead(nn.Module):
    """Auxiliary classifier two thirds up the network, used in training only (DARTS, section 3.2).

    Args:
        channels: channels of the state that it sees.
        classes: number of classes.
        imagenet: True for the head of the ImageNet network.
        classifier: makes a classifier from the size of features and the number of classes.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        imagenet: bool,
        classifier: MakeClassifier = nn.Linear,
    ) -> None:
        super().__init__()
        # The published ImageNet head has no second normalisation, and its weights must load.
        last: list[nn.Module] = [] if imagenet else [nn.BatchNorm2d(768)]
        self.features = nn.Sequential(
            nn.ReLU(),
            # 8 or 7 pixels to 2.
            nn.AvgPool2d(5, stride=2 if imagenet else 3, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),  # 2 pixels to 1
            *last,
            nn.ReLU(),
        )
        self.classifier = classifier(768, classes)

    def forward(self, state: Tensor) -> Tensor:
        """Return the logits [B, classes] of a state [B, C, H, W]."""
        # At the published image sizes the mean is over one position; larger images have more.
        logits: Tensor = self.classifier(self.features(state).mean((2, 3)))
        return logits


def cifar_stem(channels: int) -> tuple[nn.Module, nn.Module]:
    """Return a stem with 3 * channels outputs at full size.

    It is both inputs of the first cell.
    """
    stem = nn.Sequential(
        nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels)
    )
    return stem, nn.Identity()


def imagenet_stem(channels: int) -> tuple[nn.Module, nn.Module]:
    """Return a stem of three convolutions of stride 2.

    The inputs of the first cell have a quarter and an eighth of the images' size.
    """

    def conv(inputs: int, outputs: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outputs)]

    first = nn.Sequential(*conv(3, channels // 2), nn.ReLU(), *conv(channels // 2, channels))
    return first, nn.Sequential(nn.ReLU(), *conv(channels, channels))


class Network(BranchedModel):
    """Discrete network that is trained and used.

    Args:
        genotype: normal and reduction cell.
        channels: channels of the first cell.
        cells: number of cells in the stack.
        classes: number of classes.
        auxiliary: True to add an auxiliary classifier.
        stem: `cifar` or `imagenet`.
        classifier: makes a classifier from the size of features and the number of classes; also
            used for the auxiliary classifier.
        branch_depth: 0 or 1 for two branches (see `BranchedModel`); None: one branch.

    Raises:
        ValueError: the stem is unknown.
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
        match stem:
            case "cifar":
                self.stem, self.stem1 = cifar_stem(channels)
                width = 3 * channels
            case "imagenet":
                self.stem, self.stem1 = imagenet_stem(channels)
                width = channels
            case _:
                raise ValueError(f"{stem} is not a stem: it must be cifar or imagenet")
        # A cell whose genotype has dead nodes concatenates fewer of them.
        widths = {name: len(output_nodes(genotype.cell(name))) for name in ("normal", "reduce")}
        plans = cell_plans(
            channels=channels,
            cells=cells,
            widths=widths,
            stem=width,
            stem_before=width,
            stem_reduces=imagenet,
        )

        def make(plan: CellPlan) -> Cell:
            return Cell(plan, genotype.cell(kind(plan.reduction)))

        # The order of construction is the order of random draws, and so part of what a seed means.
        self.cells = nn.ModuleList(make(plan) for plan in plans)
        self.kinds = [kind(plan.reduction) for plan in plans]
        self.rebalancing_cell = make(plans[-1]) if branch_depth == 1 else None
        self.drop_path = DropPath()
        # Channels of the output of each cell.
        outputs = [plan.channels * widths[kind(plan.reduction)] for plan in plans]
        self.feature_size = outputs[-1] * self.branches
        self.classifier = classifier(self.feature_size, classes)
        # The second reduction cell, as in DARTS.
        self.auxiliary_cell = 2 * cells // 3
        self.auxiliary_head = (
            AuxiliaryHead(outputs[self.auxiliary_cell], classes, imagenet, classifier)
            if auxiliary
            else None
        )

    def compilable(self) -> Iterable[nn.Module]:
        """Return the cells, each of which is compiled by itself."""
        return (module for module in self.modules() if isinstance(module, Cell))

    def trunk(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return what `tail` needs.

        These are the two inputs of the last cell, the state that the auxiliary head sees, and the
        factors of drop path in the last cell.
        """
        before = self.stem(images)
        previous = seen = self.stem1(before)
        cells = [cell for cell in self.cells if isinstance(cell, Cell)]
        counts = [sum(cell.droppable) for cell in cells]
        factors = iter(self.drop_path(sum(counts), like=before))
        for index, (cell, count) in enumerate(zip(cells[:-1], counts, strict=False)):
            before, previous = previous, cell(before, previous, tuple(islice(factors, count)))
            if index == self.auxiliary_cell:
                seen = previous
        return before, previous, seen, *factors

    def tail(self, trunk: tuple[Tensor, ...], branch: int) -> Tensor:
        """Compute the last cell of a branch, [B, C, H', W']."""
        rebalancing = self.rebalancing_cell if branch else None
        state: Tensor = (rebalancing or self.cells[-1])(*trunk[:2], trunk[3:])
        return state

    def predictions(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits [B, classes], and those of the auxiliary classifier if there is one."""
        if self.auxiliary_head is None:
            return (self(images),)
        trunk = self.trunk(images)
        last = self.tail(trunk, 0)
        # The auxiliary head may see the last cell, which `trunk` does not compute.
        seen = last if self.auxiliary_cell == len(self.cells) - 1 else trunk[2]
        return self.classifier(last.mean((2, 3))), self.auxiliary_head(seen)
