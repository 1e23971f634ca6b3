"""Search networks of published repositories: what they have beside those of DARTS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ltnas import config as c
from ltnas.interop.names import DARTS, DARTS_MINUS, DRNAS, MSR_DARTS, Rules, broad_rules
from ltnas.models.cell_design import CellDesign

NODES = 4
"""Number of intermediate nodes of a cell in all of them."""


@dataclass(frozen=True)
class OfficialSupernet:
    """Search network of a published repository.

    Args:
        title: name of the method.
        operations: candidate operations, in the order of the columns of its parameters.
        relaxation: how its parameters become mixing weights.
        partial_channels: K of its searches on CIFAR: operations see 1/K of the channels; None: the
            method has no partial channels.
        edge_parameters: True if its edges have parameters of their own.
        auxiliary_skip: True if every edge has an auxiliary skip connection.
        spectral: True if the convolutions of candidate operations are divided by their largest
            singular values, and the ranks of their weights take the place of parameters.
        rules: names of its tensors.
        macro: how its cells are put together.
        cells: number of cells that it has in all searches; None: it differs.
    """

    title: str
    operations: tuple[str, ...] = c.OPERATIONS
    relaxation: c.Relaxation = field(default_factory=c.Softmax)
    partial_channels: int | None = None
    edge_parameters: bool = False
    auxiliary_skip: bool = False
    spectral: bool = False
    rules: Rules = DARTS
    macro: c.Macro = field(default_factory=c.StackedCells)
    cells: int | None = None

    def design(self, channels: int, partial_channels: int | None) -> CellDesign:
        """Return the design of its cells.

        Args:
            channels: channels of the first cell.
            partial_channels: K; None: that of its searches on CIFAR.

        Raises:
            UserError: there are no cells with such numbers.
        """
        share = partial_channels
        if share is None:
            share = self.partial_channels or 1
        c.require(
            partial_channels is None or self.partial_channels is not None,
            f"partial_channels={partial_channels}, but operations of {self.title} see all "
            "channels: omit it, or name the scheme of the checkpoint",
        )
        c.require(
            share >= 1 and channels % share == 0,
            f"partial_channels={share} does not divide channels={channels}: each operation sees "
            "channels / partial_channels of them; give the numbers of the search",
        )
        return CellDesign(
            self.operations,
            NODES,
            partial_channels=share,
            auxiliary_skip=self.auxiliary_skip,
            spectral=self.spectral,
        )


BROAD_CELLS = 2
"""Number of convolution cells of the search networks of BNAS-v2; their code runs with no other."""
_BROAD = OfficialSupernet(
    "BNAS-v2",
    macro=c.BroadCells(enhancement_cells=1),
    cells=BROAD_CELLS,
    rules=broad_rules(BROAD_CELLS, enhancement_cells=1),
)

SCHEMES = {
    "darts": OfficialSupernet("DARTS"),
    "pc_darts": OfficialSupernet("PC-DARTS", partial_channels=4, edge_parameters=True),
    "darts_minus": OfficialSupernet("DARTS-", auxiliary_skip=True, rules=DARTS_MINUS),
    "drnas": OfficialSupernet(
        "DrNAS",
        operations=c.OPERATIONS[1:],  # without `none`
        relaxation=c.Dirichlet(),
        partial_channels=6,
        rules=DRNAS,
    ),
    "msr_darts": OfficialSupernet(
        "MSR-DARTS",
        operations=c.OPERATIONS[4:],  # the convolutions
        relaxation=c.StableRank(scale="published"),
        spectral=True,
        rules=MSR_DARTS,
    ),
    "b_darts": _BROAD,
    "b_pc_darts": replace(_BROAD, title="BNAS-v2-PC", partial_channels=4, edge_parameters=True),
}
"""Search networks by the names of the schemes."""
