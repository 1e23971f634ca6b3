"""The schedule axis: how the architecture's learning rate moves over the epochs."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class Schedule:
    """Base of the values on the schedule axis; p is the share of the epochs that is over.

    A schedule changes the learning rate and not the loss, because Adam is invariant to the scale
    of a loss. The optimiser's coupled weight decay fades with the rate. The formulas are in
    `ltnas.axes.schedules`.
    """

    last: float = 0.0
    """Learning rate where the share that the schedule leaves of the first rate is 0."""

    def __post_init__(self) -> None:
        require(self.last >= 0, f"schedule.last={self.last} must be 0 or more: it is a rate")


@dataclass
class Constant(Schedule):
    """The first rate in all epochs (DARTS)."""


@dataclass
class Heterogeneous(Schedule):
    """(1 - p^2)^kappa: our reading of arXiv 2406.07028, whose text gives no formula."""

    # With 1 the rate follows the share of the conventional branch of BBN, so that it is small when
    # the re-balancing branch dominates.
    kappa: float = 1.0
    """Exponent; larger values reduce the rate earlier."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.kappa >= 0, f"schedule.kappa={self.kappa} must be 0 or more")


@dataclass
class LinearSchedule(Schedule):
    """1 - p."""


@dataclass
class CosineSchedule(Schedule):
    """(1 + cos(pi p)) / 2."""


@dataclass
class Freeze(Schedule):
    """The first rate, and from a given share of the epochs on 0."""

    after: float = 0.5
    """Share of the epochs after which the architecture no longer changes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 < self.after <= 1, f"schedule.after={self.after} must lie in (0, 1]")


@dataclass
class Overlap(Schedule):
    """4 m (1 - m) with m = 1 - p^2: largest where both branches of BBN count equally."""


@dataclass
class Increasing(Schedule):
    """p^2: the opposite of heterogeneous, as a control."""


@dataclass
class Confident(Schedule):
    """((epoch + 1) / epochs)^2: small while the network weights are untrained (B-DARTS)."""


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "heterogeneous": Heterogeneous,
    "linear": LinearSchedule,
    "cosine": CosineSchedule,
    "freeze": Freeze,
    "overlap": Overlap,
    "increasing": Increasing,
    "confident": Confident,
}
