"""The progression axis: how the search space changes during a search."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.proxy import PROXY_NAMES
from ltnas.config.requirements import require, require_choice

SCORINGS = ("marginal", "leave_one_out", "saliency")
"""Scores of an operation in zero-shot pruning."""
GRANULARITIES = ("edge_operation", "operation")
"""Units that zero-shot pruning keeps or drops together."""


@dataclass
class Progression:
    """Base of the values on the progression axis."""

    @property
    def stages(self) -> int:
        """Number of stages of the search."""
        return 1


@dataclass
class NoProgression(Progression):
    """One stage: the space stays as it is (DARTS)."""


@dataclass
class Staged(Progression):
    """Base of the values with several stages, each with the strongest operations of the last."""

    operations: list[int] = field(default_factory=list)
    """Largest number of candidate operations of an edge in each stage."""
    epochs: list[int] | None = None
    """Number of epochs of each stage; None: equally many."""

    def __post_init__(self) -> None:
        require(
            len(self.operations) >= 1 and all(count >= 1 for count in self.operations),
            f"progression.operations={self.operations} must be a list of numbers of candidate "
            "operations, 1 or more for each stage",
        )
        require(
            self.operations == sorted(self.operations, reverse=True),
            f"progression.operations={self.operations} grows: a stage has operations of the one "
            "before; sort the list in descending order",
        )
        require(
            self.epochs is None
            or (len(self.epochs) == self.stages and all(count >= 1 for count in self.epochs)),
            f"progression.epochs={self.epochs} does not fit progression.operations="
            f"{self.operations}: give 1 or more epochs for each stage, or null for equal parts",
        )

    @property
    def stages(self) -> int:
        """Number of stages of the search."""
        return len(self.operations)


@dataclass
class Deepen(Staged):
    """Deeper supernets with fewer operations; everything starts anew in each stage (P-DARTS).

    Learning rates and warm-up run through each stage by itself.
    """

    operations: list[int] = field(default_factory=lambda: [8, 5, 3])
    added_cells: list[int] = field(default_factory=lambda: [0, 6, 12])
    """Number of cells that each stage has beside `cells`."""
    # Of the command in the README of the P-DARTS code, whose defaults are 0.
    skip_dropout: list[float] = field(default_factory=lambda: [0.1, 0.4, 0.7])
    """First probability in each stage with which dropout after skip connections of stride 1 drops
    an element; it decays."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            len(self.added_cells) == self.stages and all(count >= 0 for count in self.added_cells),
            f"progression.added_cells={self.added_cells} does not fit progression.operations="
            f"{self.operations}: give 0 or more cells for each stage",
        )
        require(
            len(self.skip_dropout) == self.stages
            and all(0 <= rate < 1 for rate in self.skip_dropout),
            f"progression.skip_dropout={self.skip_dropout} does not fit progression.operations="
            f"{self.operations}: give a probability in [0, 1) for each stage",
        )


@dataclass
class Widen(Staged):
    """Wider candidate operations, and fewer of them; what was learned goes on (DrNAS).

    Learning rates run through all stages, the warm-up through each.
    """

    operations: list[int] = field(default_factory=lambda: [8, 4])
    partial_channels: list[int] = field(default_factory=lambda: [6, 4])
    """K of each stage: candidate operations see 1/K of the channels of a state."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            len(self.partial_channels) == self.stages
            and all(share >= 1 for share in self.partial_channels),
            f"progression.partial_channels={self.partial_channels} does not fit "
            f"progression.operations={self.operations}: give 1 or more for each stage",
        )
        require(
            self.partial_channels == sorted(self.partial_channels, reverse=True),
            f"progression.partial_channels={self.partial_channels} grows, but operations can only "
            "become wider: sort the list in descending order",
        )


@dataclass
class ZeroShot(Progression):
    """One stage, without the operations that zero-shot scores find dispensable before it.

    Half Search Space (Rumiantsev and Coates 2025, arXiv 2505.13586). Their abstract says neither
    which proxies nor which rule they take: all constants are our choice.
    """

    # Random architectures are small: with nwot on two CPU cores a repeat takes 18 s, one of
    # `leave_one_out` 244 s.
    scoring: str = "marginal"
    """Score of an operation: `marginal`, the mean proxy of random architectures that have it;
    `leave_one_out`, what the proxy of the network of all operations loses without it; `saliency`,
    its effect on the output of a network of absolute weights, which needs no proxy."""
    proxy: str = "nwot"
    """Zero-shot proxy of a network."""
    granularity: str = "edge_operation"
    """`edge_operation`: each edge keeps operations of its own; `operation`: all edges of a kind of
    cell keep the same."""
    keep: float = 0.5
    """Share of the operations of an edge that are kept."""
    repeats: int = 3
    """Number of scores of each operation, with other weights and images, which are compared by
    their ranks."""
    samples: int = 100
    """Number of random architectures of each repeat, for `marginal`."""
    images: int = 32
    """Number of images of a repeat, equally many of each class."""
    channels: int = 4
    """Channels of the first cell of the networks that are scored."""
    cells: int = 3
    """Number of cells of the networks that are scored."""

    def __post_init__(self) -> None:
        require_choice("progression.scoring", self.scoring, SCORINGS)
        require_choice("progression.proxy", self.proxy, PROXY_NAMES)
        require_choice("progression.granularity", self.granularity, GRANULARITIES)
        require(0 < self.keep <= 1, f"progression.keep={self.keep} must lie in (0, 1]")
        for key in ("repeats", "samples", "channels"):
            require(
                getattr(self, key) >= 1, f"progression.{key}={getattr(self, key)} must be 1 or more"
            )
        require(
            self.cells >= 3,
            f"progression.cells={self.cells} must be 3 or more: fewer cells are not of both kinds",
        )
        require(self.images >= 4, f"progression.images={self.images} must be 4 or more images")


PROGRESSIONS: dict[str, type[Progression]] = {
    "none": NoProgression,
    "deepen": Deepen,
    "widen": Widen,
    "zero_shot": ZeroShot,
}
