"""The supernet of B-DARTS, a broad network (Ding et al. 2020, arXiv 2009.08886)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ltnas.config import BroadCells
from ltnas.models.branches import Trunk
from ltnas.models.cell_design import CellDesign
from ltnas.models.embeddings import embedding, embeddings
from ltnas.models.sources import EdgeWeights
from ltnas.models.stems import build_stem
from ltnas.models.supernet import Supernet, SupernetCell
from ltnas.space.broad_layout import broad_plan
from ltnas.space.edge_masks import Masks


class BroadSupernet(Supernet):
    """Supernet of two convolution blocks and enhancement cells; see `ltnas.space.broad_layout`.

    With two branches of depth 1 each branch has a last enhancement cell and its embedding for
    itself (our choice; B-DARTS has one branch).

    Args:
        design: see `Supernet`.
        channels: channels of the first convolution block.
        cells: number of convolution cells, 2 or more; the authors search with 2, the broad cells.
        enhancement_cells: number of enhancement cells.
        masks: see `Supernet`.
        checkpointed: see `Supernet`.
        branch_depth: see `Supernet`.
        stem: see `Supernet`.
    """

    macro = "broad"

    def __init__(
        self,
        design: CellDesign,
        channels: int,
        cells: int,
        enhancement_cells: int,
        *,
        masks: Masks | None = None,
        checkpointed: bool = False,
        branch_depth: int | None = None,
        stem: str = "cifar",
    ) -> None:
        super().__init__(
            BroadCells.kinds,
            design,
            masks=masks,
            checkpointed=checkpointed,
            branch_depth=branch_depth,
            stem=stem,
        )
        made = build_stem(stem, channels)
        plan = broad_plan(
            channels,
            cells,
            enhancement_cells,
            widths=dict.fromkeys(BroadCells.kinds, self.nodes),
            stem=made.channels,
            stem_reduces=made.reduces,
        )
        self.plans = [*plan.convolution, *plan.enhancement]
        self.channels, self.convolution_cells = channels, cells
        self.enhancement_cells = enhancement_cells
        self.stem, self.stem1 = made.first, made.second
        self.cells = nn.ModuleList(self.make_cell(cell) for cell in self.plans)
        self.scales, self.bridges = embeddings(plan.scales), embeddings(plan.bridges)
        self.enhanced = embeddings(plan.enhanced)
        separate = branch_depth == 1
        self.rebalancing_cell = self.make_cell(self.plans[-1]) if separate else None
        self.rebalancing_embedding = embedding(plan.enhanced[-1]) if separate else None
        self.state_channels = plan.features

    def with_masks(self, masks: Masks) -> BroadSupernet:
        """Return a new supernet of the same size whose edges have the operations of the masks."""
        return BroadSupernet(
            self.design,
            self.channels,
            self.convolution_cells,
            self.enhancement_cells,
            masks=masks,
            checkpointed=self.checkpointed,
            branch_depth=self.branch_depth,
            stem=self.stem_name,
        )

    def trunk(self, images: Tensor, mixing: Mapping[str, EdgeWeights]) -> Trunk:
        """Compute everything before the last enhancement cell.

        Args:
            images: [B, 3, H, W].
            mixing: mixing weights of each kind of cell.

        Returns:
            The two inputs of the last cell, its mixing weights, what the classifier sees of
            everything before, and the inputs of the broad cells.
        """
        cells = [cell for cell in self.cells if isinstance(cell, SupernetCell)]
        reduced, bridged, last = self._convolution_blocks(images, mixing["normal"], cells)
        seen = [scale(state) for scale, state in zip(self.scales, reduced, strict=True)]
        weights = mixing["enhancement"]
        before, previous = bridged
        # The second enhancement cell sees the output of the last broad cell itself.
        follows = last
        for cell, enhanced in zip(cells[self.convolution_cells : -1], self.enhanced, strict=False):
            state = self.run_cell(cell, before, previous, weights)
            seen.append(enhanced(state))
            before, previous, follows = follows, state, state
        return before, previous, weights, seen, reduced

    def _convolution_blocks(
        self, images: Tensor, weights: EdgeWeights, cells: Sequence[SupernetCell]
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Return the inputs of broad cells, their embedded outputs, and the last output itself.

        Args:
            images: [B, 3, H, W].
            weights: mixing weights of the convolution cells.
            cells: all cells.
        """
        reduced: list[Tensor] = []
        bridged: list[Tensor] = []
        before = self.stem(images)
        previous = self.stem1(before)
        for plan, cell in zip(self.plans[: self.convolution_cells], cells, strict=False):
            if plan.reduction:
                reduced.append(previous)
            before, previous = previous, self.run_cell(cell, before, previous, weights)
            if plan.reduction:
                bridged.append(self.bridges[len(bridged)](previous))
        return reduced, bridged, previous

    def tail(self, trunk: Trunk, branch: int) -> Tensor:
        """Compute the last cell of a branch, and join it with the other scales.

        Returns:
            [B, state_channels, H', W'].
        """
        before, previous, weights, seen, _ = trunk
        state = self.run_cell(self.last_cell(branch), before, previous, weights)
        separate = self.rebalancing_embedding if branch else None
        return torch.cat([*seen, (separate or self.enhanced[-1])(state)], 1)
