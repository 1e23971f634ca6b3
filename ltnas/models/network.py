"""Discrete network of a genotype of stacked cells (DARTS, section 3.1.2)."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from ltnas.config import StackedCells
from ltnas.models.auxiliary_head import AuxiliaryHead
from ltnas.models.branches import BranchedModel
from ltnas.models.cell import Cell, drawn_factors
from ltnas.models.classifiers import MakeClassifier
from ltnas.models.operations import DropPath
from ltnas.models.stems import build_stem
from ltnas.space.genotype import Genotype, output_nodes
from ltnas.space.layout import CellPlan, cell_plans


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
        made = build_stem(stem, channels)
        self.stem, self.stem1 = made.first, made.second
        # A cell whose genotype has dead nodes concatenates fewer of them.
        widths = {name: len(output_nodes(genotype.cell(name))) for name in StackedCells.kinds}
        plans = cell_plans(
            channels=channels,
            cells=cells,
            widths=widths,
            stem=made.channels,
            stem_before=made.channels,
            stem_reduces=made.reduces,
        )

        def make(plan: CellPlan) -> Cell:
            return Cell(plan, genotype.cell(plan.kind))

        # The order of construction is the order of random draws, and so part of what a seed means.
        self.cells = nn.ModuleList(make(plan) for plan in plans)
        self.rebalancing_cell = make(plans[-1]) if branch_depth == 1 else None
        self.drop_path = DropPath()
        # Channels of the output of each cell.
        outputs = [plan.channels * widths[plan.kind] for plan in plans]
        self.feature_size = outputs[-1] * self.branches
        self.classifier = classifier(self.feature_size, classes)
        # The second reduction cell, as in DARTS.
        self.auxiliary_cell = 2 * cells // 3
        self.auxiliary_head = (
            AuxiliaryHead(outputs[self.auxiliary_cell], classes, stem == "imagenet", classifier)
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
        factors = drawn_factors(self.drop_path, cells, like=before)
        for index, cell in enumerate(cells[:-1]):
            before, previous = previous, cell(before, previous, next(factors))
            if index == self.auxiliary_cell:
                seen = previous
        return before, previous, seen, *next(factors)

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
