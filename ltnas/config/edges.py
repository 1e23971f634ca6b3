"""The edges axis: weights of the edges into a node."""

from __future__ import annotations

from dataclasses import dataclass

from ltnas.config.requirements import require


@dataclass
class Edges:
    """Base of the values on the edges axis."""


@dataclass
class PlainEdges(Edges):
    """A node is the plain sum of its edges (DARTS)."""


@dataclass
class NormalisedEdges(Edges):
    """Edges have learned weights, a softmax over the edges into each node (PC-DARTS)."""

    initial_deviation: float = 1e-3
    """Standard deviation of the normal distribution that edge parameters start from."""

    def __post_init__(self) -> None:
        require(
            self.initial_deviation >= 0,
            f"edges.initial_deviation={self.initial_deviation} must be 0 or more",
        )


EDGES: dict[str, type[Edges]] = {"plain": PlainEdges, "normalised": NormalisedEdges}
