"""The search space: candidate operations and size of a cell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

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
NOISE = "noise"
"""Gaussian noise in place of the input, an operation of space S4 (Zela et al. 2020)."""
KNOWN_OPERATIONS = (*OPERATIONS, NOISE)
"""All operations that a space or a genotype may have."""
PARAMETRIC = ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5")
"""Candidate operations that have weights at every stride."""


@dataclass
class Space:
    """Candidate operations of an edge and intermediate nodes of a cell (DARTS, section 2.1)."""

    operations: list[str] = field(default_factory=lambda: list(OPERATIONS))
    """Candidate operations of each edge, in the order of the columns of the parameters."""
    nodes: int = 4
    """Number of intermediate nodes of a cell."""
    # Lists of names and no tables of zeros and ones, so that a file shows what an edge can become.
    # Any: OmegaConf says of a wrong value in a list of lists neither the key nor what is expected.
    normal_edges: list[Any] | None = None
    """Operations that each edge of a normal cell has; None: each has all of `operations`.

    A list of names for each edge, node by node and, for a node, source by source: 0 -> 2, 1 -> 2,
    0 -> 3, 1 -> 3, 2 -> 3, ...
    """
    reduce_edges: list[Any] | None = None
    """Operations that each edge of a reduction cell has, in the same order."""

    def __post_init__(self) -> None:
        for operation in self.operations:
            require_choice("space.operations", operation, KNOWN_OPERATIONS)
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
        for key in ("normal_edges", "reduce_edges"):
            self._check_edges(f"space.{key}", getattr(self, key))

    def _check_edges(self, key: str, listed: list[Any] | None) -> None:
        """Raise a `UserError` unless every edge of the cell is listed, with an operation."""
        if listed is None:
            return
        count = sum(range(2, 2 + self.nodes))  # a node has an edge from every state before it
        require(
            len(listed) == count,
            f"{key} lists {len(listed)} edges, but a cell with space.nodes={self.nodes} has "
            f"{count}: list the operations of each",
        )
        for number, names in enumerate(listed):
            where = f"{key}[{number}]={names}"
            require(
                isinstance(names, list | tuple),
                f"{where} is no list: list the operations of the edge, as in [skip_connect]",
            )
            for name in names:
                require(
                    name in self.operations,
                    f"{where} has {name}, which is not in space.operations: add it there, or take "
                    f"one of {', '.join(self.operations)}",
                )
            require(
                len(set(names)) == len(names), f"{where} names an operation twice: list each once"
            )
            require(
                any(name != "none" for name in names),
                f"{where} leaves the edge without an operation: list at least one other than none",
            )
