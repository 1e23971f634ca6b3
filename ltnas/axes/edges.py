"""The edges axis: weights of the edges into a node, beside those of their operations."""

from __future__ import annotations

import torch
from torch import Tensor

from ltnas import config as c


def edge_deviation(config: c.Edges) -> float | None:
    """Return the standard deviation of initial edge parameters; None for edges without any.

    Raises:
        TypeError: the value is not on the axis.
    """
    match config:
        case c.PlainEdges():
            return None
        case c.NormalisedEdges():
            return config.initial_deviation
        case _:
            raise TypeError(f"{config} is not a value on the edges axis")


def normalised_edges(parameters: Tensor) -> Tensor:
    """Return the softmax over the edges into each node (PC-DARTS, Xu et al. 2020).

    Args:
        parameters: edge parameters of a cell, [edges], in the order of `ltnas.space.layout.edges`.

    Returns:
        Edge weights, [edges]; those of the edges into a node sum to one.
    """
    sizes: list[int] = []  # the first node has two edges, and each other one more
    while sum(sizes) < len(parameters):
        sizes.append(2 + len(sizes))
    return torch.cat([torch.softmax(part, 0) for part in parameters.split(sizes)])
