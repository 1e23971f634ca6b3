"""The supernet whose cells are a stack of normal and reduction cells (DARTS, section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ltnas.config import StackedCells
from ltnas.models.branches import Trunk
from ltnas.models.cell_design import CellDesign
from ltnas.models.sources import EdgeWeights
from ltnas.models.stems import build_stem
from ltnas.models.supernet import Supernet, SupernetCell, weights_of_cells
from ltnas.space.edge_masks import Masks
from ltnas.space.layout import cell_plans


class StackedSupernet(Supernet):
    """Supernet in which each cell sees the outputs of the two cells before it.

    Args:
        design: see `Supernet`.
        channels: channels of the first cell.
        cells: number of cells in the stack.
        masks: see `Supernet`.
        checkpointed: see `Supernet`.
        branch_depth: see `Supernet`.
        stem: see `Supernet`.
    """

    macro = "cells"

    def __init__(
        self,
        design: CellDesign,
        channels: int,
        cells: int,
        masks: Masks | None = None,
        checkpointed: bool = False,
        branch_depth: int | None = None,
        stem: str = "cifar",
    ) -> None:
        super().__init__(
            StackedCells.kinds,
            design,
            masks=masks,
            checkpointed=checkpointed,
            branch_depth=branch_depth,
            stem=stem,
        )
        self.channels = channels
        made = build_stem(stem, channels)
        self.stem, self.stem1 = made.first, made.second
        self.plans = cell_plans(
            channels=channels,
            cells=cells,
            widths=dict.fromkeys(StackedCells.kinds, self.nodes),
            stem=made.channels,
            stem_before=made.channels,
            stem_reduces=made.reduces,
        )
        self.cells = nn.ModuleList(self.make_cell(plan) for plan in self.plans)
        # After the cells: the order of construction is the order of random draws.
        self.rebalancing_cell = self.make_cell(self.plans[-1]) if branch_depth == 1 else None
        self.state_channels = self.plans[-1].channels * self.nodes

    def with_masks(self, masks: Masks) -> StackedSupernet:
        """Return a new supernet of the same size whose edges have the operations of the masks."""
        return StackedSupernet(
            design=self.design,
            channels=self.channels,
            cells=len(self.cells),
            masks=masks,
            checkpointed=self.checkpointed,
            branch_depth=self.branch_depth,
            stem=self.stem_name,
        )

    def trunk(self, images: Tensor, mixing: Mapping[str, EdgeWeights]) -> Trunk:
        """Compute everything before the last cell.

        Args:
            images: [B, 3, H, W].
            mixing: see `Supernet.trunk`.

        Returns:
            The last two states, the mixing weights of the last cell, and the states that reduction
            cells see.
        """
        *weights, last = weights_of_cells(self.kinds, mixing)
        before = self.stem(images)
        previous = self.stem1(before)
        reduced: list[Tensor] = []
        for plan, cell, own in zip(self.plans, self.cells, weights, strict=False):
            assert isinstance(cell, SupernetCell)
            if plan.reduction:
                reduced.append(previous)
            before, previous = previous, self.run_cell(cell, before, previous, own)
        if self.plans[-1].reduction:
            reduced.append(previous)
        return before, previous, last, reduced

    def tail(self, trunk: Trunk, branch: int) -> Tensor:
        """Compute the last cell of a branch, [B, state_channels, H', W']."""
        before, previous, weights, _ = trunk
        return self.run_cell(self.last_cell(branch), before, previous, weights)
