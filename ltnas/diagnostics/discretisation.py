"""How far the supernet is from the network that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ltnas.space.genotype import Genotype
from ltnas.space.layout import edges


def distance(
    mixing: Mapping[str, Tensor], genotype: Genotype, operations: Sequence[str], nodes: int
) -> float:
    """Mean absolute difference of mixing weights and the zeros and ones of the genotype.

    Args:
        mixing: weights of each kind of cell, [edges, operations].
        genotype: made of them.
        operations: names of the columns.
        nodes: intermediate nodes of a cell.

    Returns:
        In [0, 1] for weights in [0, 1]; 0 for a supernet that is its genotype.
    """
    differences = []
    for kind, weights in mixing.items():
        kept = torch.zeros_like(weights)
        for edge in genotype.cell(kind).edges:
            kept[edges(nodes).index((edge.node, edge.source)), operations.index(edge.operation)] = 1
        differences.append((weights - kept).abs().mean())
    return float(torch.stack(differences).mean())
