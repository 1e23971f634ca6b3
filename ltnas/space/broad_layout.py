"""Layout of the broad network of B-DARTS (Ding et al. 2020, arXiv 2009.08886).

Convolution cells form two blocks, each of which ends in a broad cell that halves the size and
doubles the width. Enhancement cells follow at the last size. Beside the cells, 1x1 convolutions
(knowledge embeddings) lead from earlier parts to later ones: outputs of broad cells are the inputs
of the first enhancement cell, and the classifier sees the inputs of the broad cells and the outputs
of the enhancement cells, of several scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from ltnas.space.layout import CellPlan

BLOCKS = 2
"""Number of convolution blocks, as in the authors' code, which has no other."""


@dataclass(frozen=True)
class EmbeddingPlan:
    """A state that is passed on to a later part of the network.

    Args:
        inputs: channels of the state.
        outputs: channels after a 1x1 convolution.
        halvings: number of times that its size is then halved.
    """

    inputs: int
    outputs: int
    halvings: int


@dataclass(frozen=True)
class BroadPlan:
    """Plan of a broad network.

    Args:
        convolution: plans of the convolution cells.
        enhancement: plans of the enhancement cells.
        scales: what the classifier sees of the inputs of the broad cells.
        bridges: inputs of the first enhancement cell, from the outputs of the broad cells.
        enhanced: what the classifier sees of the outputs of the enhancement cells.
    """

    convolution: list[CellPlan]
    enhancement: list[CellPlan]
    scales: list[EmbeddingPlan]
    bridges: list[EmbeddingPlan]
    enhanced: list[EmbeddingPlan]

    @property
    def features(self) -> int:
        """Number of channels that the classifier sees."""
        return sum(plan.outputs for plan in (*self.scales, *self.enhanced))


def broad_cells(cells: int) -> list[int]:
    """Return the numbers of the broad cells, the last of each convolution block.

    The published networks have an even number of convolution cells. Of an odd number the second
    block has one more (our choice).

    Args:
        cells: number of convolution cells, 2 or more.
    """
    return [cells // 2 - 1, cells - 1]


def broad_plan(
    channels: int,
    cells: int,
    enhancement_cells: int,
    *,
    widths: Mapping[str, int],
    stem: int,
    stem_reduces: bool = False,
) -> BroadPlan:
    """Return the plan of a broad network.

    Args:
        channels: channels of the first block.
        cells: number of convolution cells.
        enhancement_cells: number of enhancement cells.
        widths: number of nodes that a cell concatenates, by kind.
        stem: channels of the stem's two outputs.
        stem_reduces: True if the stem's second output has half the size of its first.
    """
    convolution = _convolution_plans(
        channels, cells, width=widths["normal"], stem=stem, stem_reduces=stem_reduces
    )
    broad = [plan for plan in convolution if plan.reduction]
    # The code of the authors' search network takes the inputs of the broad cells, that of their
    # discrete network the outputs of the cells before them, which are the same.
    scales = [
        EmbeddingPlan(plan.previous, plan.channels // 2, halvings=BLOCKS - block)
        for block, plan in enumerate(broad)
    ]
    outputs = [plan.channels * widths["normal"] for plan in broad]
    # All but the last are compressed to the width of a node.
    bridges = [
        EmbeddingPlan(output, plan.channels, halvings=BLOCKS - 1 - block)
        for block, (plan, output) in enumerate(zip(broad[:-1], outputs, strict=False))
    ]
    bridges.append(EmbeddingPlan(outputs[-1], outputs[-1], halvings=0))
    last = broad[-1].channels
    states = [outputs[-1], *[last * widths["enhancement"]] * enhancement_cells]
    inputs = [(bridges[0].outputs, bridges[1].outputs), *pairwise(states)][:enhancement_cells]
    return BroadPlan(
        convolution,
        [_enhancement_plan(last, *channels_in) for channels_in in inputs],
        scales,
        bridges,
        [
            *(EmbeddingPlan(state, last, halvings=0) for state in states[1:-1]),
            EmbeddingPlan(states[-1], states[-1], halvings=0),
        ],
    )


def _convolution_plans(
    channels: int, cells: int, *, width: int, stem: int, stem_reduces: bool
) -> list[CellPlan]:
    """Return the plans of the convolution cells; see `broad_plan`."""
    plans: list[CellPlan] = []
    before, previous, reduced = stem, stem, stem_reduces
    for index in range(cells):
        broad = index in broad_cells(cells)
        channels *= 2 if broad else 1
        plans.append(CellPlan(channels, before, previous, broad, reduced, kind="normal"))
        before, previous, reduced = previous, channels * width, broad
    return plans


def _enhancement_plan(channels: int, before: int, previous: int) -> CellPlan:
    """Return the plan of an enhancement cell, which keeps size and width."""
    return CellPlan(
        channels,
        before_previous=before,
        previous=previous,
        reduction=False,
        follows_reduction=False,
        kind="enhancement",
    )
