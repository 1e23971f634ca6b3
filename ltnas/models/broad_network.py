"""Discrete network of a genotype of B-DARTS (Ding et al. 2020, arXiv 2009.08886)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from ltnas.config import BroadCells
from ltnas.models.auxiliary_head import AuxiliaryHead
from ltnas.models.branches import BranchedModel, Trunk
from ltnas.models.cell import Cell, drawn_factors
from ltnas.models.classifiers import MakeClassifier
from ltnas.models.embeddings import embedding, embeddings
from ltnas.models.operations import DropPath
from ltnas.models.stems import build_stem
from ltnas.space.broad_layout import broad_plan
from ltnas.space.genotype import Genotype, output_nodes
from ltnas.space.layout import CellPlan


class BroadNetwork(BranchedModel):
    """Two convolution blocks and enhancement cells; see `ltnas.space.broad_layout`.

    The published network has neither of these, which are our choice: an auxiliary classifier, that
    of DARTS, which sees the output of the last broad cell; the ImageNet stem of DARTS; and two
    branches, which have a last enhancement cell each at depth 1.

    Args:
        genotype: normal and enhancement cell.
        channels: channels of the first convolution block.
        cells: number of convolution cells, 2 or more; the last of each block is a broad cell.
        enhancement_cells: number of enhancement cells.
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
        enhancement_cells: int,
        *,
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
        plan = broad_plan(
            channels,
            cells,
            enhancement_cells,
            widths={kind: len(output_nodes(genotype.cell(kind))) for kind in BroadCells.kinds},
            stem=made.channels,
            stem_reduces=made.reduces,
        )

        def make(cell: CellPlan) -> Cell:
            return Cell(cell, genotype.cell(cell.kind))

        # The order of construction is the order of random draws, and so part of what a seed means.
        self.cells = nn.ModuleList(make(cell) for cell in (*plan.convolution, *plan.enhancement))
        self.broad = [cell.reduction for cell in plan.convolution]
        """True for each convolution cell that is a broad cell."""
        self.scales, self.bridges = embeddings(plan.scales), embeddings(plan.bridges)
        self.enhanced = embeddings(plan.enhanced)
        separate = branch_depth == 1
        self.rebalancing_cell = make(plan.enhancement[-1]) if separate else None
        self.rebalancing_embedding = embedding(plan.enhanced[-1]) if separate else None
        self.drop_path = DropPath()
        self.feature_size = plan.features * self.branches
        self.classifier = classifier(self.feature_size, classes)
        self.auxiliary_head = (
            AuxiliaryHead(plan.bridges[-1].inputs, classes, stem == "imagenet", classifier)
            if auxiliary
            else None
        )

    def compilable(self) -> Iterable[nn.Module]:
        """Return the cells, each of which is compiled by itself."""
        return (module for module in self.modules() if isinstance(module, Cell))

    def trunk(self, images: Tensor) -> Trunk:
        """Return what `tail` needs.

        These are the two inputs of the last enhancement cell, its factors of drop path, what the
        classifier sees of everything before, and the output of the last broad cell.
        """
        first = self.stem(images)
        cells = [cell for cell in self.cells if isinstance(cell, Cell)]
        factors = drawn_factors(self.drop_path, cells, like=first)
        seen, bridged, last = self._convolution_blocks(first, cells, factors)
        before, previous = bridged
        # The second enhancement cell sees the output of the last broad cell itself.
        follows = last
        for cell, enhanced in zip(cells[len(self.broad) : -1], self.enhanced, strict=False):
            state = cell(before, previous, next(factors))
            seen.append(enhanced(state))
            before, previous, follows = follows, state, state
        return before, previous, next(factors), seen, last

    def _convolution_blocks(
        self, first: Tensor, cells: Sequence[Cell], factors: Iterator[tuple[Tensor, ...]]
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Return the embedded scales, the embedded outputs of broad cells, and the last of these.

        Args:
            first: first output of the stem, [B, C, H, W].
            cells: all cells.
            factors: factors of drop path of each cell, of which those of these cells are taken.
        """
        seen: list[Tensor] = []
        bridged: list[Tensor] = []
        before, previous = first, self.stem1(first)
        for broad, cell in zip(self.broad, cells, strict=False):
            block = len(bridged)
            if broad:
                seen.append(self.scales[block](previous))
            before, previous = previous, cell(before, previous, next(factors))
            if broad:
                bridged.append(self.bridges[block](previous))
        return seen, bridged, previous

    def tail(self, trunk: Trunk, branch: int) -> Tensor:
        """Compute the last cell of a branch, and join it with the other scales.

        Returns:
            [B, channels of all scales, H', W'].
        """
        before, previous, factors, seen, _ = trunk
        cell = (self.rebalancing_cell if branch else None) or self.cells[-1]
        enhanced = (self.rebalancing_embedding if branch else None) or self.enhanced[-1]
        return torch.cat([*seen, enhanced(cell(before, previous, factors))], 1)

    def predictions(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the logits [B, classes], and those of the auxiliary classifier if there is one."""
        if self.auxiliary_head is None:
            return (self(images),)
        trunk = self.trunk(images)
        *_, last_broad = trunk
        logits = self.classifier(self.tail(trunk, 0).mean((2, 3)))
        return logits, self.auxiliary_head(last_broad)
