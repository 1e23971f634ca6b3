"""The selection axis: how mixing weights become a genotype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ltnas.config.proxy import PROXY_NAMES
from ltnas.config.requirements import require, require_choice


@dataclass
class Selection:
    """Base of the values on the selection axis."""

    reads_weights: ClassVar[bool] = True
    """False for a selection that needs no mixing weights, and therefore no supernet training."""
    needs_gates: ClassVar[bool] = False
    """True for a selection by a threshold, which weights that sum to one rarely reach."""
    evaluates: ClassVar[bool] = False
    """True for a selection that measures architectures with the weights of the trained supernet, on
    images that these have not seen."""
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


@dataclass
class BestByProxy(Selection):
    """The best of random architectures by a zero-shot proxy, without training (NASWOT).

    Mellor et al. 2021 (arXiv 2006.04647), algorithm 1.
    """

    reads_weights: ClassVar[bool] = False
    proxy: str = "nwot"
    """Zero-shot proxy of a network with initial weights."""
    candidates: int = 100
    """Number of random architectures."""
    images: int = 64
    """Number of images of the batch that they are scored on, equally many of each class."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("selection.proxy", self.proxy, PROXY_NAMES)
        require(self.candidates >= 1, f"selection.candidates={self.candidates} must be 1 or more")
        require(self.images >= 4, f"selection.images={self.images} must be 4 or more images")


@dataclass
class Evaluated(Selection):
    """Base of the values that measure architectures with the weights of the trained supernet.

    They are measured on the architecture half of the training images, by their mean accuracy over
    the classes; of equal accuracies the lower loss counts.
    """

    evaluates: ClassVar[bool] = True
    images: int = 512
    """Number of images, drawn from all classes alike as far as these go, that an architecture is
    measured on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.images >= 2, f"selection.images={self.images} must be 2 or more images")
        require(
            self.most_skips is None,
            f"selection.most_skips={self.most_skips} with a selection that measures architectures: "
            "it has no weights by which the weakest could be found; leave it at null",
        )


@dataclass
class Compared(Evaluated):
    """Base of the values that choose among discrete architectures.

    The best candidates are measured again, on all images of the architecture half.
    """

    candidates: int = 200
    """Number of architectures that are measured."""
    finalists: int = 10
    """Number of the best candidates that are measured on all images."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            1 <= self.finalists <= self.candidates,
            f"selection.finalists={self.finalists} must lie in [1, selection.candidates="
            f"{self.candidates}]",
        )


@dataclass
class Sampled(Compared):
    """The best of architectures that are drawn uniformly (Li and Talwalkar 2019)."""


@dataclass
class Evolution(Compared):
    """The best architecture of a regularised evolution (Real et al. 2019)."""

    population: int = 50
    """Number of architectures of which the oldest is replaced."""
    tournament: int = 10
    """Number of members of the population of which the best has the next child."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            1 <= self.population <= self.candidates,
            f"selection.population={self.population} must lie in [1, selection.candidates="
            f"{self.candidates}]: the first members are candidates too",
        )
        require(self.tournament >= 1, f"selection.tournament={self.tournament} must be 1 or more")


@dataclass
class Removal(Evaluated):
    """On each edge the operation, and into each node the edges, that the supernet misses most.

    Perturbation-based selection (Wang et al. 2021, arXiv 2108.04392). Edges are decided one after
    another in random order.
    """

    tune_epochs: int = 5
    """Number of epochs that the weights are trained, on their half of the images, whenever as many
    decisions were made as there are kinds of cells (5 in the published code, which decides on all
    kinds at once); 0 leaves it out. The rate starts at a tenth of `weights.learning_rate`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.tune_epochs >= 0, f"selection.tune_epochs={self.tune_epochs} must be 0 or more"
        )


SELECTIONS: dict[str, type[Selection]] = {
    "top2": Top2,
    "threshold_sparse": ThresholdSparse,
    "threshold_edge": ThresholdEdge,
    "pooled": Pooled,
    "every_edge": EveryEdge,
    "random": RandomDraw,
    "by_proxy": BestByProxy,
    "sampled": Sampled,
    "evolution": Evolution,
    "removal": Removal,
}
