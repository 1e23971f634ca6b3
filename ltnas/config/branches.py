"""The branches axis: in how many branches a model ends, each with its own stream of images."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require, require_choice

MIXINGS = (
    *("parabolic", "linear", "quarter_cosine", "cosine_symmetric"),
    *("fixed", "increasing", "beta", "stage"),
)
"""Names of the formulas by which the share of the conventional branch moves over the epochs."""


@dataclass
class Branches:
    """Base of the values on the branches axis."""


@dataclass
class OneBranch(Branches):
    """A network with one classifier."""


@dataclass
class TwoBranches(Branches):
    """A conventional and a re-balancing branch (BBN, Zhou et al. 2020)."""

    # BBN shares everything but the last residual block (section 4.1).
    depth: int = 1
    """Number of cells at the end that each branch has for itself, beside its classifier: 0 or 1."""
    mixing: str = "parabolic"
    """Name of the formula of the conventional branch's share; 1 - p^2 in the paper."""

    def __post_init__(self) -> None:
        require(self.depth in (0, 1), f"branches.depth={self.depth} must be 0 or 1")
        require(
            self.mixing != "cosine",
            "branches.mixing=cosine was renamed: take branches.mixing=quarter_cosine for the same "
            "cos(pi p / 2); branches.mixing=cosine_symmetric is (1 + cos(pi p)) / 2",
        )
        require_choice("branches.mixing", self.mixing, MIXINGS)


BRANCHES: dict[str, type[Branches]] = {"one": OneBranch, "two": TwoBranches}
