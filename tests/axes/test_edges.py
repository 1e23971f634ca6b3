"""Weights of the edges into a node."""

import torch

from ltnas.axes.edges import normalised_edges
from ltnas.space.layout import edges


def test_the_edges_into_a_node_share_a_weight_of_one():
    parameters = torch.randn(14, dtype=torch.float64)
    weights = normalised_edges(parameters)
    for node in range(2, 6):
        rows = [row for row, (target, _) in enumerate(edges(4)) if target == node]
        own = parameters[rows].exp()
        torch.testing.assert_close(weights[rows], own / own.sum())
