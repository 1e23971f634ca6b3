"""The supernet whose cells are a stack of normal and reduction cells (DARTS, section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ltnas.config import StackedCells
from ltnas.models.branches import Trunk
from ltnas.models.cell_design import CellDesign
from ltnas.models.sources import EdgeWeights
from ltnas.models.supernet import Supernet, SupernetCell, supernet_stem
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
    """

    macro = "cells"

    macro = "cells"

    def __init__(
        self,
        design: CellDesign,
        channels: int,
        cells: int,
        masks: Masks | None = None,
        checkpointed: bool = False,
        branch_depth: int | None = None,
    ) -> None:
        super().__init__(
            StackedCells.kinds,
            design,
            masks=masks,
            checkpointed=checkpointed,
            branch_depth=branch_depth,
        )
        self.stem = supernet_stem(channels)
        self.plans = cell_plans(
            channels=channels,
            cells=cells,
            widths=dict.fromkeys(StackedCells.kinds, self.nodes),
            stem=3 * channels,
            stem_before=3 * channels,
        )
        self.cells = nn.ModuleList(self.make_cell(plan) for plan in self.plans)
        # After the cells: the order of construction is the order of random draws.
        self.rebalancing_cell = self.make_cell(self.plans[-1]) if branch_depth == 1 else None
        self.state_channels = self.plans[-1].channels * self.nodes

    def trunk(self, images: Tensor, mixing: Mapping[str, EdgeWeights]) -> Trunk:
        """Compute everything before the last cell.

        Args:
            images: [B, 3, H, W].
            mixing: mixing weights of each kind of cell.

        Returns:
            The last two states, and the mixing weights of the last cell.
        """
        before = previous = self.stem(images)  # [B, 3 * channels, H, W]
        for plan, cell in list(zip(self.plans, self.cells, strict=True))[:-1]:
            assert isinstance(cell, SupernetCell)
            state = self.run_cell(cell, before, previous, mixing[plan.kind])
            before, previous = previous, state
        return before, previous, mixing[self.plans[-1].kind]

    def tail(self, trunk: Trunk, branch: int) -> Tensor:
        """Compute the last cell of a branch, [B, state_channels, H', W']."""
        before, previous, weights = trunk
        return self.run_cell(self.last_cell(branch), before, previous, weights)
