"""The search space: candidate operations and size of a cell."""

from __future__ import annotations

from dataclasses import dataclass, field

from ltnas.config.requirements import require, require_choice

# A changed order would change checkpoints and ties: of equal weights the first operation counts.
OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
"""The candidate operations of DARTS, in the order of its architecture parameters."""
PARAMETRIC = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
"""Candidate operations that have weights at every stride."""


@dataclass
class Space:
    """Candidate operations of an edge and intermediate nodes of a cell (DARTS, section 2.1)."""

    operations: list[str] = field(default_factory=lambda: list(OPERATIONS))
    """Candidate operations of each edge, in the order of the columns of the parameters."""
    nodes: int = 4
    """Number of intermediate nodes of a cell."""

    def __post_init__(self) -> None:
        for operation in self.operations:
            require_choice("space.operations", operation, OPERATIONS)
        require(
            len(set(self.operations)) == len(self.operations),
            f"space.operations={self.operations} names an operation twice: list each once",
        )
        require(
            any(operation != "none" for operation in self.operations),
            f"space.operations={self.operations} has nothing but none: add an operation that does "
            "something",
        )
        require(
            # States 2 to 31, the last that a genotype's file may name.
            1 <= self.nodes <= 30,
            f"space.nodes={self.nodes} must lie in [1, 30]: a cell needs at least one node",
        )
