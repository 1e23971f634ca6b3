"""The selection axis: how mixing weights become a genotype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ltnas.config.requirements import require


@dataclass
class Selection:
    """Base of the values on the selection axis."""

    reads_weights: ClassVar[bool] = True
    """False for a selection that needs no mixing weights, and therefore no supernet training."""
    needs_gates: ClassVar[bool] = False
    """True for a selection by a threshold, which weights that sum to one rarely reach."""
    most_skips: int | None = None
    """Largest number of skip connections in the normal cell, of which the weakest are replaced
    (P-DARTS); None: no limit."""

    def __post_init__(self) -> None:
        require(
            self.most_skips is None or self.most_skips >= 0,
            f"selection.most_skips={self.most_skips} must be 0 or more, or null for no limit",
        )
        require(
            self.most_skips is None or self.reads_weights,
            f"selection.most_skips={self.most_skips} with a random selection: it has no weights "
            "by which the weakest could be found; leave it at null",
        )


@dataclass
class Top2(Selection):
    """The two strongest incoming edges of each node, the strongest operation on each (DARTS)."""


@dataclass
class ThresholdSparse(Selection):
    """`Top2` without the operations below the threshold (FairDARTS)."""

    needs_gates: ClassVar[bool] = True
    # Of FairDARTS. With the rate of arXiv 2406.16949 (3e-4, 40 epochs) a gate reaches at most 0.87.
    threshold: float = 0.85
    """Smallest mixing weight of an operation in the genotype."""


@dataclass
class ThresholdEdge(Selection):
    """Up to two operations above the threshold on every edge (FairDARTS)."""

    needs_gates: ClassVar[bool] = True
    threshold: float = 0.85
    """Smallest mixing weight of an operation in the genotype."""


@dataclass
class Pooled(Selection):
    """The two strongest pairs of edge and operation into each node, even of one edge (GDAS)."""


@dataclass
class EveryEdge(Selection):
    """The strongest operation of every edge, without edges on which it is `none` (SNAS)."""


@dataclass
class RandomDraw(Selection):
    """Two edges into each node and an operation on each, drawn uniformly with the run's seed."""

    reads_weights: ClassVar[bool] = False


SELECTIONS: dict[str, type[Selection]] = {
    "top2": Top2,
    "threshold_sparse": ThresholdSparse,
    "threshold_edge": ThresholdEdge,
    "pooled": Pooled,
    "every_edge": EveryEdge,
    "random": RandomDraw,
}
