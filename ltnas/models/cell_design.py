"""Design of the cells of a supernet, apart from their widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ltnas.models.sources import AUXILIARY_SKIP, Source
from ltnas.space.edge_masks import Mask
from ltnas.space.layout import edges


@dataclass(frozen=True)
class CellDesign:
    """Candidate operations of a supernet's cells, and what an edge has beside them.

    The mixing weights have a column for each candidate operation, then one for the auxiliary skip
    connection and one for the channels that bypass the operations, if there are such.

    Args:
        operations: candidate operations of each edge.
        nodes: number of intermediate nodes of a cell.
        partial_channels: K; candidate operations see the first 1/K of the channels of a state, and
            the others bypass them (PC-DARTS, Xu et al. 2020).
        auxiliary_skip: True for a skip connection beside the candidate operations (DARTS-, Chu et
            al. 2021).
        skip_dropout: True for dropout after skip connections of stride 1 (P-DARTS).
        separate_edges: True for modules of each edge instead of modules that compute all edges
            leaving a state, for supernets that execute a single operation of each edge.
        spectral: True to divide each convolution of the candidate operations by its largest
            singular value (MSR-DARTS, Machida et al. 2020).
    """

    operations: tuple[str, ...]
    nodes: int
    partial_channels: int = 1
    auxiliary_skip: bool = False
    skip_dropout: bool = False
    separate_edges: bool = False
    spectral: bool = False

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of everything that an edge computes, in the order of the columns."""
        return self.operations + ((AUXILIARY_SKIP,) if self.auxiliary_skip else ())

    @property
    def columns(self) -> int:
        """Number of columns of the mixing weights."""
        return len(self.candidates) + (self.partial_channels > 1)

    def sources(self, mask: Mask, channels: int, reduction: bool) -> list[Source]:
        """Build the edges of a cell, in groups whose operations are computed together.

        Args:
            mask: candidate operations that each edge has.
            channels: channels of each state.
            reduction: True for a reduction cell.
        """
        layout = edges(self.nodes)
        extra = (True,) * (len(self.candidates) - len(self.operations))
        return [
            Source(
                state=state,
                leaving=leaving,
                operations=self.candidates,
                mask=tuple(row + extra for row in mask),
                channels=channels // self.partial_channels,
                stride=2 if reduction and state < 2 else 1,
                skip_dropout=self.skip_dropout,
                spectral=self.spectral,
            )
            for state, leaving in self._groups(layout)
        ]

    def _groups(self, layout: Sequence[tuple[int, int]]) -> list[tuple[int, list[tuple[int, int]]]]:
        """Return the state that each group of edges leaves, and the row and node of its edges."""
        leaving = [
            (state, [(row, node) for row, (node, source) in enumerate(layout) if source == state])
            for state in range(self.nodes + 1)
        ]
        if self.separate_edges:
            return [(state, [edge]) for state, edges_of_state in leaving for edge in edges_of_state]
        return leaving
