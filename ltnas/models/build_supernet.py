"""Builder of the supernet of a macro-network."""

from __future__ import annotations

from ltnas import config as c
from ltnas.models.broad_supernet import BroadSupernet
from ltnas.models.cell_design import CellDesign
from ltnas.models.stacked_supernet import StackedSupernet
from ltnas.models.supernet import Supernet
from ltnas.space.edge_masks import Masks


def build_supernet(
    macro: c.Macro,
    *,
    design: CellDesign,
    channels: int,
    cells: int,
    masks: Masks | None,
    checkpointed: bool,
    branch_depth: int | None,
    stem: str = "cifar",
) -> Supernet:
    """Build a supernet with weights drawn from torch's generator.

    Args:
        macro: value on the macro axis.
        design: see `Supernet`.
        channels: channels of the first cell.
        cells: number of cells; of convolution cells in a broad supernet.
        masks: see `Supernet`.
        checkpointed: see `Supernet`.
        branch_depth: see `Supernet`.
        stem: see `Supernet`.

    Raises:
        TypeError: the value is not on the axis.
        ValueError: the stem is unknown.
    """
    match macro:
        case c.StackedCells():
            return StackedSupernet(
                design,
                channels,
                cells,
                masks=masks,
                checkpointed=checkpointed,
                branch_depth=branch_depth,
                stem=stem,
            )
        case c.BroadCells():
            return BroadSupernet(
                design,
                channels,
                cells,
                macro.enhancement_cells,
                masks=masks,
                checkpointed=checkpointed,
                branch_depth=branch_depth,
                stem=stem,
            )
        case _:
            raise TypeError(f"{macro} is not a value on the macro axis")
